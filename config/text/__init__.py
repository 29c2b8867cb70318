"""From the text of files to values with their places: YAML, JSON, variables from the environment, ARNs."""
