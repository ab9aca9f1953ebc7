"""Stepping through a protocol, or through a recorded run: the session behind the terminal, the browser and the tour."""
