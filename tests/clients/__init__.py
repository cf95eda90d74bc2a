"""Clients of the warehouse, each in an environment of its own: ``python -m tests.clients``."""
