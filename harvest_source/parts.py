"""A part of a list, as Harvest is asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from harvest_source.windows import ALL_DAYS, DateWindow

WORKERS: Final = 8
"""Windows read at once: what Harvest allows in 15 s is asked within five, at 300 ms a request."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list: days, changes since an instant, and one more filter."""

    window: DateWindow = ALL_DAYS
    since: datetime | None = None
    only: tuple[str, int] | None = None
    """A column and the id it must have: how a single day is cut."""
    flag: tuple[str, str] | None = None
    """A filter and its value, such as ``is_running``."""

    def __str__(self) -> str:
        words = [str(self.window)]
        if self.since is not None:
            words.append(f"changed since {self.since:%Y-%m-%d %H:%M:%S}")
        if self.flag is not None:
            words.append("=".join(self.flag))
        if self.only is not None:
            words.append(f"{self.only[0]} {self.only[1]}")
        return ", ".join(words)

    def params(self) -> dict[str, str]:
        """The query that asks for this part."""
        params = self.window.params()
        if self.since is not None:
            params["updated_since"] = f"{self.since:%Y-%m-%dT%H:%M:%SZ}"
        if self.only is not None:
            column, value = self.only
            params[column.replace("__", "_")] = str(value)
        return params | dict([self.flag] if self.flag else [])
