"""A run as pictures and exchange formats are made from it: plain data, without any engine."""
