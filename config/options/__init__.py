"""From values to the options of a model: what an option may hold, and one way to read every model."""
