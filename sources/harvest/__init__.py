"""Harvest for ``dlt init harvest DESTINATION --location CLONE``; the code is in harvest-source."""

from harvest_source import harvest

__all__ = ["harvest"]
