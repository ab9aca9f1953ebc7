"""A protocol on a network as a transition system."""
