"""What our variants of dlt's destinations have in common."""

from __future__ import annotations

from typing import ClassVar


class OwnDestination:
    """One of dlt's destinations with our own client; a base class beside dlt's."""

    dlts_type: ClassVar[str]
    """What dlt calls its own destination."""

    @property
    def destination_type(self) -> str:
        """dlt's own, so that ``dlt.attach`` and dlt's command line need not know our class."""
        return self.dlts_type
