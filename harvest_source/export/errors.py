"""Errors of an export."""

from __future__ import annotations


class DoesNotFitError(Exception):
    """The format cannot hold a table: the message says what of it, for ``TABLE has ...``."""
