"""The two streams: messages for people on stderr; tables, or one JSON object, on stdout."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from harvest_source.cli.json_log import JsonLog
from harvest_source.cli.layout import lay_out
from harvest_source.errors import ConfigError, printable
from harvest_source.notices import Notice

if TYPE_CHECKING:
    from rich.box import Box
    from rich.console import Console as RichConsole
    from rich.table import Table

_PIPE_WIDTH: Final = 160
"""Width in characters of a table printed to a file or pipe, where no screen limits it."""

_UNBOUNDED: Final = 10_000
"""A width in characters that every table fits into."""

_LOG_LEVEL: Final = "RUNTIME__LOG_LEVEL"
_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

_COLOURS: Final[Mapping[str, str]] = {
    "ok": "green",
    "warning": "yellow",
    "skipped": "yellow",
    "information": "yellow",
    "error": "red",
    "differs": "red",
}


@dataclass(slots=True)
class Console:
    """Prints the messages and results of a command."""

    as_json: bool = False
    """Print one JSON object on stdout in place of tables and messages."""
    quiet: bool = False
    """Print the result and errors only."""
    log: JsonLog | None = None
    """Write one JSON object for each message on stderr in place of text, and no tables."""

    @property
    def as_text(self) -> bool:
        """Whether the result is printed as text for people."""
        return not self.as_json and self.log is None

    def error(self, message: str) -> None:
        """Print an error on stderr: one line, or on a terminal as many as it needs."""
        self._print("error", "bold red", message)

    def warn(self, notice: Notice) -> None:
        """Print a warning on stderr; with ``--quiet`` only if it is urgent."""
        self.note("warning", notice.text, always=notice.kind.is_urgent)

    def note(self, mark: str, message: str, *, always: bool = False) -> None:
        """Print ``mark: message`` as one line on stderr, unless ``--quiet``."""
        if always or not self.quiet:
            self._print(mark, _COLOURS.get(mark, "default"), message)

    def _print(self, mark: str, colour: str, message: str) -> None:
        if self.log is None:
            _print_message(mark, colour, message)
        else:
            self.log.write(mark, message=message)


def _print_message(mark: str, colour: str, message: str) -> None:
    """Print a message: one line in a log, so that it can be searched; wrapped on a terminal."""
    rich = _open_rich(stderr=True)
    text = lay_out(mark, message, rich.width) if sys.stderr.isatty() else f"{mark}: {message}"
    rest = _escape(text.removeprefix(f"{mark}:"))
    rich.print(f"[{colour}]{mark}:[/]{rest}", soft_wrap=True)


def print_json(value: Mapping[str, Any]) -> None:
    """Print *value* as one line of JSON on stdout."""
    print(json.dumps(value))


def print_address(url: str, *, as_json: bool, listens: str = "") -> None:
    """
    Print the address of a server that has begun to listen, and pass it on at once.

    Args:
        listens: Host and port, if they are not those of *url*.
    """
    if as_json:
        print_json({"status": "ok", "url": url} | ({"listens": listens} if listens else {}))
    else:
        print(f"{url} (listening on {listens})" if listens else url)
    sys.stdout.flush()


def print_text(mark: str, text: str) -> None:
    """Print ``mark: text`` on stdout: one line, or on a terminal as many as it needs."""
    print(lay_out(mark, text, _open_rich().width) if sys.stdout.isatty() else f"{mark}: {text}")


def check_log_level() -> None:
    """
    Refuse a level of dlt's log that does not exist, such as ``info``: dlt raises a ``ValueError``.

    Raises:
        ConfigError: Names the variable and the levels.
    """
    level = os.environ.get(_LOG_LEVEL)
    if level is not None and level not in logging.getLevelNamesMapping():
        msg = (
            f"{_LOG_LEVEL} is {printable(level, limit=40)!r}, and dlt's log has no such level. Set "
            f"it to {', '.join(_LEVELS[:-1])} or {_LEVELS[-1]}, in capitals, or unset it."
        )
        raise ConfigError(msg)


def log_to_stderr() -> None:
    """Let dlt and this package log to stderr, for ``--debug``."""
    os.environ[_LOG_LEVEL] = "INFO"
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    # At DEBUG httpcore logs request headers, and with them the access token.
    logging.getLogger("httpcore").setLevel(logging.INFO)


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    whole: Sequence[str] | None = None,
    states: Sequence[str] = (),
) -> None:
    """
    Print a plain table of text on stdout.

    Args:
        numbers: Headings of right-aligned columns.
        whole: Headings of columns that are never cut or wrapped; None: all of them.
        states: Headings of columns of states, each of which is printed in its colour.
    """
    from rich.cells import cell_len
    from rich.table import Table

    table, lines = Table(box=_choose_box(), pad_edge=False), list(rows)
    for at, heading in enumerate(headings):
        justify: Literal["left", "right"] = "right" if heading in numbers else "left"
        is_whole = whole is None or heading in whole
        width = max(map(cell_len, (heading, *(row[at] for row in lines)))) if is_whole else None
        table.add_column(heading, justify=justify, no_wrap=is_whole, min_width=width)
    for row in lines:
        cells = zip(headings, row, strict=True)
        table.add_row(*(_paint(text) if name in states else _escape(text) for name, text in cells))
    _print_without_padding(table)


def print_figures(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    states: Sequence[str] = (),
    expendable: str = "",
) -> None:
    """
    Print a table without ever cutting or wrapping a value.

    If the screen is too narrow, each row becomes a block: its first column on a line of its own,
    the others below it, as many on a line as fit.

    Args:
        expendable: Heading of a column that is left out if the table fits only without it.
    """
    rich = _open_rich()
    without = [at for at, heading in enumerate(headings) if heading != expendable]
    for kept in (range(len(headings)), without):
        columns = [headings[at] for at in kept]
        lines = [[row[at] for at in kept] for row in rows]
        if _measure(columns, lines) <= rich.width:
            print_table(columns, lines, numbers=numbers, states=states)
            return
    print()
    for first, *others in rows:
        rich.print(_escape(first), soft_wrap=True)
        named = [
            (heading, text) for heading, text in zip(headings[1:], others, strict=True) if text
        ]
        for line in _fill_lines(named, rich.width):
            cells = (
                f"{heading} {_paint(text) if heading in states else _escape(text)}"
                for heading, text in line
            )
            rich.print(f"  {'   '.join(cells)}", soft_wrap=True)
    print()


def _measure(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """The width that a table needs, in characters."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]
    return sum(widths) + 3 * len(widths) - 1


def _fill_lines(cells: Sequence[tuple[str, str]], width: int) -> Iterator[list[tuple[str, str]]]:
    """Yield lines of as many cells as fit into *width*, at least one."""
    line: list[tuple[str, str]] = []
    used = 2
    for heading, text in cells:
        size = len(heading) + len(text) + 4
        if line and used + size > width:
            yield line
            line, used = [], 2
        line.append((heading, text))
        used += size
    if line:
        yield line


def _choose_box() -> Box:
    """A rule below the headings, made of hyphens if stdout's encoding has no line character."""
    from rich.box import SIMPLE_HEAD, Box

    try:
        "\u2500".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return Box(str(SIMPLE_HEAD).replace("\u2500", "-"), ascii=True)
    return SIMPLE_HEAD


def _print_without_padding(table: Table) -> None:
    """
    Print *table* as wide as the screen, or wider if a column must not be cut.

    Rich pads every line with blanks up to that width; they are removed.
    """
    from rich.measure import Measurement

    rich = _open_rich()
    unbounded = rich.options.update(max_width=_UNBOUNDED)
    rich.width = max(rich.width, Measurement.get(rich, unbounded, table).minimum)
    with rich.capture() as captured:
        rich.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def open_stderr() -> RichConsole:
    """Open Rich's console on stderr, for a progress bar."""
    return _open_rich(stderr=True)


def _open_rich(*, stderr: bool = False) -> RichConsole:
    from rich.console import Console as RichConsole

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else _PIPE_WIDTH
    return RichConsole(stderr=stderr, highlight=False, emoji=False, width=width)


def _paint(state: str) -> str:
    return f"[{_COLOURS[state]}]{state}[/]"


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)
