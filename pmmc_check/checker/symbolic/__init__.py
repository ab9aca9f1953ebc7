"""The symbolic engine: sets of states as decision diagrams, explored by saturation."""
