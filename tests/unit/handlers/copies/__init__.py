"""Copies of functions' code."""
