"""Spec files: what to check, written down once, with expressions in TLA+'s notation."""
