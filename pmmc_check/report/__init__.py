"""What people and programs read, made from results only."""
