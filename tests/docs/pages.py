"""
The documents of this repository, in reading order.

To add a page: a line in :data:`PAGES`, a file ``docs/NAME.md`` that begins with the title, and
``python -m tests.docs.generate``. Tests check the rest: links, files, commands, keys and blocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).parents[2]
README: Final = REPOSITORY / "README.md"
FOLDER: Final = REPOSITORY / "docs"


@dataclass(frozen=True, slots=True)
class Page:
    """One page under ``docs/``."""

    name: str
    """File name without its extension."""
    title: str
    """First heading of the file."""

    @property
    def path(self) -> Path:
        """The file."""
        return FOLDER / f"{self.name}.md"


PAGES: Final = (
    Page("tables", "Tables"),
    Page("columns", "Columns"),
    Page("signing-in", "Signing in"),
    Page("guarantees", "Guarantees"),
    Page("command-line", "Command line"),
    Page("configuration", "Configuration"),
    Page("history-and-rates", "History and rates"),
    Page("models", "Models"),
    Page("questions", "Questions"),
    Page("pages", "Report and app"),
    Page("destinations", "Destinations"),
    Page("clients", "Clients"),
    Page("with-dlt", "With dlt"),
    Page("scheduling", "Scheduling"),
    Page("drivers", "Drivers"),
    Page("asking", "Asking the warehouse"),
    Page("agents", "Agents"),
    Page("development", "Development"),
)

DOCUMENTS: Final = (
    README,
    REPOSITORY / "CONTRIBUTING.md",
    REPOSITORY / "CHANGELOG.md",
    REPOSITORY / "SECURITY.md",
    *(page.path for page in PAGES),
)
"""Every file that the tests of this folder check."""


def relative(document: Path) -> str:
    """The path of *document* in the repository, for messages and test ids."""
    return document.relative_to(REPOSITORY).as_posix()
