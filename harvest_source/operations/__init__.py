"""Whole runs: sync, verify, audit, check, sign in. They return reports and print nothing."""
