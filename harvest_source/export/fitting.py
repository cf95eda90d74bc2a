"""Why a table cannot be written in a format."""

from __future__ import annotations


class DoesNotFitError(Exception):
    """The format cannot hold a table: the message says what of it, for ``TABLE has ...``."""
