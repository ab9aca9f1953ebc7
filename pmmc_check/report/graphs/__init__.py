"""Graphs of states, as networkx has them, and as files."""
