"""Recorded executions: reading, replaying, searching, judging and simulating them."""
