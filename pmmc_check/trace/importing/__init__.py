"""Reading other people's logs: JSON Lines under other keys, or text, by a mapping that says what each line means."""
