"""Builds our HTML pages: one file each, with everything in it and nothing to fetch."""

from __future__ import annotations

import html
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

from harvest_source._version import __version__
from harvest_source.ask.shown_text import clean
from harvest_source.config.paths import check_kind, read_status
from harvest_source.errors import ConfigError
from harvest_source.file_permissions import create_draft

_STYLE: Final = Path(__file__).with_name("style.css")

_PAGE_FILE: Final = "The page's file"
_DOCTYPE: Final = "<!doctype html>"
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""Makes the browser fetch nothing, even if a page contained the address of another site."""


def escape(text: str) -> str:
    """
    Escape a text for HTML.

    Control and invisible characters are removed: one that reverses the direction, in a name, would
    reverse the figures after it.
    """
    return html.escape(clean(text))


def read_style() -> str:
    """Read the style sheet of all pages."""
    return _STYLE.read_text(encoding="utf-8")


def check_place(path: Path) -> None:
    """
    Check that *path* can name a page, before the work of making it begins.

    Raises:
        ConfigError: The path is a folder, its folder does not exist, or it is a file that is no
            page.
    """
    found = read_status(path, _PAGE_FILE)
    if found is not None and stat.S_ISDIR(found.st_mode):
        msg = f"{path} is a folder. Name a file in it: {path / 'page.html'}"
        raise ConfigError(msg)
    if not path.absolute().parent.is_dir():
        msg = f"There is no folder {path.absolute().parent}. Make it, or name another file."
        raise ConfigError(msg)
    check_kind(path, _PAGE_FILE, beginning=_DOCTYPE.encode())


def write_page(path: Path, text: str) -> None:
    """
    Write a page; an earlier one is replaced only when the new one is complete.

    The page is for those who could read the earlier one.

    Raises:
        ConfigError: The file cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    create_draft(part, path)
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}. Name another file."
        raise ConfigError(msg) from error
    finally:
        part.unlink(missing_ok=True)


def build_page(title: str, body: Iterable[str], *, footer: str) -> str:
    """Build a whole page. *title* and *footer* are text, *body* is HTML."""
    return "\n".join(
        (
            _DOCTYPE,
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="generator" content="harvest-source {__version__}">',
            f"<title>{escape(title)}</title>",
            f"<style>\n{read_style()}</style>",
            "</head>",
            '<body class="page">',
            *body,
            f"<footer>{escape(footer)}</footer>",
            "</body>",
            "</html>",
            "",
        )
    )


def build_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    numbers: Sequence[str] = (),
    states: Sequence[str] = (),
) -> str:
    """
    Build a table of text.

    Args:
        numbers: Headings of the right-aligned columns.
        states: For each row the CSS class that colours it, such as ``total``; empty: none.
    """
    classes = [' class="n"' if each in numbers else "" for each in headings]
    head = "".join(
        f"<th{kind}>{escape(text)}</th>" for kind, text in zip(classes, headings, strict=True)
    )
    lines = []
    for at, row in enumerate(rows):
        cells = "".join(
            f"<td{kind}>{escape(text)}</td>" for kind, text in zip(classes, row, strict=True)
        )
        state = states[at] if states else ""
        lines.append(f'<tr class="{state}">{cells}</tr>' if state else f"<tr>{cells}</tr>")
    body = "\n".join(lines)
    return (
        f'<div class="scroll"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>'
        "\n</table></div>"
    )


def paragraph(text: str, kind: str = "") -> str:
    """Build a paragraph of text, with an optional CSS class."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def heading(level: int, text: str) -> str:
    """Build a heading."""
    return f"<h{level}>{escape(text)}</h{level}>"
