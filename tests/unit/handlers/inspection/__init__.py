"""Functions looked at without running them."""
