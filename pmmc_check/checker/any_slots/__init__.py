"""Every number of slots from one slot: the one-slot system, the premises that allow it to stand for all slots, and the replica's part."""
