"""Layout of messages on a terminal: wrapped between words, with the remedy on its own line."""

from __future__ import annotations

import re
import textwrap
from typing import Final

_SENTENCE: Final = re.compile(r"(?<=[.!?]) (?=[A-Z])")
_COMMAND: Final = re.compile(
    r"(?:harvest-source|chmod|install -m|uv pip|\S*python[\d.]* -m pip)\b.*?"
    r"(?=$|[.;,)]?(?: or | and | makes | loads | reads |; |, |\. )|[.;,)]+$)"
)
"""A command in a message, up to where the sentence continues or ends."""

_REMEDIES: Final = frozenset(
    {
        *("Add", "Check", "Choose", "Close", "Copy", "Correct", "Give", "Have", "Install", "Leave"),
        *("Make", "Move", "Name", "Paste", "Put", "Remove", "Rename", "Restore"),
        *("Restrict", "Run", "Save", "See", "Send", "Set", "Sign", "Sync", "To", "Type", "Under"),
        *("Use", "Wait", "Write"),
    }
)
"""First words of sentences that say what to do."""

_JOINT: Final = "\u00a0"
"""Replaces a blank at which a line must not break."""


def lay_out(mark: str, message: str, width: int) -> str:
    """
    ``mark: message`` in lines of at most *width* columns; lines after the first are indented.

    A word, a path, an address or a command is never broken: one that is longer than a line gets a
    line of its own, which the terminal folds and a mouse selects as a whole.
    """
    indent = " " * (len(mark) + 2)
    lines: list[str] = []
    for part in _split_remedy(_COMMAND.sub(lambda found: _join(found[0]), message)):
        lines += textwrap.wrap(
            part,
            max(width, len(indent) + 20),
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    text = "\n".join(lines).replace(_JOINT, " ")
    return f"{mark}: {text.removeprefix(indent)}"


def _join(command: str) -> str:
    return command.replace(" ", _JOINT)


def _split_remedy(message: str) -> list[str]:
    """Split *message* into what happened and what to do; one part if nothing is to be done."""
    sentences = _SENTENCE.split(message)
    for at, sentence in enumerate(sentences[1:], 1):
        if sentence.split(_JOINT)[0].split()[0] in _REMEDIES:
            return [" ".join(sentences[:at]), " ".join(sentences[at:])]
    return [message]
