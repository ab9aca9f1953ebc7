"""Reading traces: the DSL by its grammar or fast, and JSON Lines; all make the same events."""
