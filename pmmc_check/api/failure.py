"""What an assertion on a result raises."""


class CheckFailed(AssertionError):
    """A result is not as the caller asserts. The text is the result's explanation, for people."""
