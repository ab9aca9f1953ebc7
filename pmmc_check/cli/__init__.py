"""The `pmmc-check` command, one module a verb."""
