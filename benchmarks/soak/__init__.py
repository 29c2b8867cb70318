"""A soak: every kind of source at once through real worker processes, under random faults, and the books at the end."""
