"""Variants of the protocol: seeded faults, fixes and optimisations. `catalogue` lists them by name."""
