"""Clients of the warehouse, each in its own environment: ``python -m tests.clients``."""
