"""Sentences name their actors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.support.children import REPOSITORY

FOLDERS = ("harvest_source", "pipelines", "tests", "docs", ".ci", ".dlt")
KINDS = frozenset({".py", ".md", ".sql", ".yml", ".toml", ".cron", ""})
UNNAMED = re.compile(r"\b(?:whoever|nobody|somebody)\b|_nobody", re.IGNORECASE)


def iter_files() -> Iterator[Path]:
    """Text files that people write."""
    for folder in FOLDERS:
        for path in sorted((REPOSITORY / folder).rglob("*")):
            is_text = path.is_file() and path.suffix in KINDS and "__pycache__" not in path.parts
            if is_text and path != Path(__file__):
                yield path
    yield from REPOSITORY.glob("*.md")


def test_every_sentence_names_its_actor() -> None:
    """A reader learns who acts: a person, Harvest, a sync, the destination."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in iter_files()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if UNNAMED.search(line)
    ]
    assert not found, "\n".join(found)
