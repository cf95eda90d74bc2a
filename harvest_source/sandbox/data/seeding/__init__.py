"""The rows that a new account starts with."""
