"""Search for a run that logs with gaps may show."""
