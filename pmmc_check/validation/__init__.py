"""Judging recorded executions: replay, search, facts, explanations; and simulation, which makes them."""
