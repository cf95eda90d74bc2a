"""Whether a command in a document can be typed as shown."""

from __future__ import annotations

from collections.abc import Sequence

import click

from harvest_source.cli import main as cli


def takes_value(found: Sequence[click.Parameter]) -> bool:
    """Whether the next word is the value of an option."""
    return any(isinstance(each, click.Option) and not each.is_flag for each in found)


def check_ours(words: Sequence[str]) -> None:
    """The command exists and takes these options."""
    command: click.Command = cli.main
    left = iter(words)
    for word in left:
        if word.startswith("-"):
            name, equals, _ = word.partition("=")
            found = [p for p in command.params if name in (*p.opts, *p.secondary_opts)]
            assert found or name == "--help", " ".join(words)
            if isinstance(command, click.Group) and not equals and takes_value(found):
                next(left, None)  # A sentence may name the option without a value.
        elif isinstance(command, click.Group):
            assert word in command.commands, " ".join(words)
            command = command.commands[word]
