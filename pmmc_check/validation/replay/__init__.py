"""Replay without search: an order for the events of all logs, and what is wrong where there is none."""
