"""What can be known of a function without running it: whether its handler, its imports and its interpreter are there."""
