"""Deciders of the SQS poller."""
