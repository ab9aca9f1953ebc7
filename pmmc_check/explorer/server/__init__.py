"""Stepping in a browser: a small server on this machine, and the search that runs beside it."""
