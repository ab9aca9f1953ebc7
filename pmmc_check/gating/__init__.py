"""Many checks at once, for continuous integration: what they are, running each in a process of its own, comparing, remembering."""
