"""A model checker and trace validator for PMMC, multi-Paxos as in "Paxos Made Moderately Complex"."""

__version__ = "0.1.0"
