"""Messages and tables are complete, plain, and on the right stream."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harvest_source.cli.console import Console, print_json, print_table

Screen = Callable[[int], None]
Capture = pytest.CaptureFixture[str]

HEADINGS = ("Table", "Rows", "State", "Detail")
ROWS = (
    ("time_entries", "1,234,567", "ok", ""),
    ("estimate_item_categories", "3", "error", "Harvest answered 500 three times in a row"),
)


def show(**options: object) -> None:
    given = {"numbers": ("Rows",), "whole": ("Table", "Rows", "State"), "states": ("State",)}
    print_table(HEADINGS, ROWS, **{**given, **options})  # type: ignore[arg-type]


def test_a_message_is_one_line_on_stderr(capsys: Capture, screen: Screen) -> None:
    """A message is never wrapped, so it can be searched for and copied."""
    screen(80)
    message = "Harvest refused the token. " * 10
    Console().error(message)
    captured = capsys.readouterr()
    assert captured.err == f"error: {message}\n"
    assert captured.out == ""


@pytest.mark.parametrize("message", ["[bold]loud[/]", "[sources.harvest]", ":smile:", "a [/] b"])
def test_markup_in_a_message_is_plain_text(capsys: Capture, message: str) -> None:
    """Section names and Harvest's texts are not parsed as colour markup."""
    console = Console()
    console.error(message)
    console.note("warning", message)
    assert capsys.readouterr().err == f"error: {message}\nwarning: {message}\n"


def test_quiet_silences_notes_and_not_errors(capsys: Capture) -> None:
    """``--quiet`` leaves the result and the errors."""
    console = Console(quiet=True)
    console.note("warning", "something to know")
    console.error("something to do")
    assert capsys.readouterr().err == "error: something to do\n"


def test_json_is_one_line_on_stdout(capsys: Capture) -> None:
    """A program parses it as one line, and no screen width cuts it."""
    print_json({"status": "ok", "tables": {"time_entries": 5}})
    assert capsys.readouterr().out == '{"status": "ok", "tables": {"time_entries": 5}}\n'


WIDE = """\

 Table                           Rows   State   Detail
 ────────────────────────────────────────────────────────────────────────────────────────
 time_entries               1,234,567   ok
 estimate_item_categories           3   error   Harvest answered 500 three times in a row

"""

NARROW = """\

 Table                           Rows   State   Detail
 ──────────────────────────────────────────────────────────────────────────────
 time_entries               1,234,567   ok
 estimate_item_categories           3   error   Harvest answered 500 three
                                                times in a row

"""


@pytest.mark.parametrize(("columns", "expected"), [(80, NARROW), (100, WIDE), (140, WIDE)])
def test_a_table_fits_the_screen(
    capsys: Capture, screen: Screen, columns: int, expected: str
) -> None:
    """Numbers are right-aligned, long text wraps in its column, no line ends with blanks."""
    screen(columns)
    show()
    assert capsys.readouterr().out == expected


@pytest.mark.parametrize("columns", [10, 40, 60])
def test_names_and_numbers_are_never_cut(capsys: Capture, screen: Screen, columns: int) -> None:
    """On too narrow a screen lines run over the edge, as part of a number would mislead."""
    screen(columns)
    show()
    out = capsys.readouterr().out
    assert "estimate_item_categories" in out
    assert "1,234,567" in out
    assert "…" not in out


@pytest.mark.usefixtures("screen")
def test_lines_in_a_pipe_have_no_width_limit(capsys: Capture) -> None:
    """In a file or pipe a line is as long as needed: there is no screen to fit."""
    show()
    assert "Harvest answered 500 three times in a row\n" in capsys.readouterr().out


def test_a_pipe_gets_no_colours(capsys: Capture) -> None:
    """Colours are for terminals; a pipe gets only the text."""
    show()
    assert "\x1b" not in capsys.readouterr().out


def test_a_table_without_rows_has_its_headings(capsys: Capture) -> None:
    """A result without rows still prints its headings."""
    print_table(("Account", "Name"), ())
    assert "Account   Name" in capsys.readouterr().out


def test_markup_in_a_cell_is_plain_text(capsys: Capture) -> None:
    """A client named ``[red]`` is shown by that name."""
    print_table(("Client",), [("[red] & [/] sons",)])
    assert "[red] & [/] sons" in capsys.readouterr().out
