"""Visited states in sorted runs, in memory or on disk: duplicates are found a level at a time, and not when a state is met."""
