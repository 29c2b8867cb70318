"""Leases of replicas: the decider, the table, and the store on it."""
