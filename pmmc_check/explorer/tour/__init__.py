"""Short lessons: a run to step through, and questions that the engine answers."""
