"""Streams for end-to-end tests, through the stock SDK."""
