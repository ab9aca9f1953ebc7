"""Searches over a model."""
