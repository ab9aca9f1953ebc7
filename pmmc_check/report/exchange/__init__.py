"""Runs and configurations in the notations of other tools."""


class NotExpressible(Exception):
    """A format has no way to say something; the text says what, and what to do."""
