"""Health, metrics, console and control over HTTP, inside ``headrace run``."""
