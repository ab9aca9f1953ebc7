"""Invariants, and what they observe."""
