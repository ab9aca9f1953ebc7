"""The live cluster: the protocol's own step functions, driven by messages off the wire, and recorded."""
