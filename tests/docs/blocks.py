"""The parts of a document: generated parts, hidden commands, and fenced blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

BEGIN: Final = re.compile(r"^<!-- begin (.+?) -->$", re.MULTILINE)
PART: Final = re.compile(
    r"^<!-- begin (?P<name>.+?) -->\n(?P<body>.*?)^<!-- end (?P=name) -->$",
    re.MULTILINE | re.DOTALL,
)
"""A part that :mod:`tests.docs.generate` writes."""

_FENCE: Final = re.compile(
    r"^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block written by hand."""

    kind: str
    """The word after the fence: ``sh``, ``toml``, ..."""
    text: str
    line: int
    """The number of its first line in the document, from 1."""


def iter_blocks(text: str) -> Iterator[Block]:
    """The hand-written fenced blocks of a document, in order."""
    hidden = PART.sub(lambda part: "\n" * part[0].count("\n"), text)
    for found in _FENCE.finditer(hidden):
        indent = found["indent"]
        lines = [line.removeprefix(indent) for line in found["text"].splitlines()]
        number = hidden.count("\n", 0, found.start()) + 2
        yield Block(found["kind"], "\n".join(lines), number)


def iter_inline_code(text: str) -> Iterator[str]:
    """The text between single backticks, outside fenced blocks."""
    for found in re.finditer(r"(?<!`)`([^`\n]+)`(?!`)", _FENCE.sub("", text)):
        yield found[1]
