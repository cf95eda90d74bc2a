"""The command that reads the server's audit log."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from harvest_source.cli.asking import find_audit_log
from harvest_source.cli.console import print_json, print_table
from harvest_source.cli.options import Context, common_options
from harvest_source.errors import ConfigError, describe_os_error, printable
from harvest_source.exit_codes import ExitCode

_SHOWN = ("at", "caller", "scope", "tool", "rows", "ms", "outcome")


@click.group("ask")
@common_options
def ask(context: Context) -> None:
    """What callers asked."""
    del context  # Its options were taken by the decorator.


@ask.command()
@click.option("--caller", metavar="NAME", help="Only the calls of this caller.")
@click.option(
    "--since", metavar="TIME", help="Only calls since then: 2026-01-31, or 2026-01-31T12:00."
)
@click.option("--audit-log", metavar="PATH", help="Audit log file.  [default: mcp.log, as for mcp]")
@common_options
def log(context: Context, caller: str | None, since: str | None, audit_log: str | None) -> int:
    """
    Show the calls that the server answered, oldest first.

    Who called, with which profile and scope, which tool and arguments, how many rows, how long it
    took, and the result. Never a value of a row, never a token.
    """
    place, begin = find_audit_log(audit_log), _parse_time(since)
    files = _list_files(place)
    if audit_log and not files:  # The default file exists only once a call was logged.
        msg = (
            f"There is no audit log {printable(place)}. Name the file that mcp --audit-log writes."
        )
        raise ConfigError(msg)
    found = [
        each
        for each in _iter_lines(files)
        if (caller is None or each.get("caller") == caller)
        and (begin is None or _is_since(each, begin))
    ]
    if context.console.as_json:
        print_json({"status": "ok", "calls": found})
        return ExitCode.DONE
    rows = [
        [str(each.get(name) if each.get(name) is not None else "-") for name in _SHOWN]
        for each in found
    ]
    print_table(("Time", "Caller", "Scope", "Tool", "Rows", "ms", "Result"), rows)
    return ExitCode.DONE


def _list_files(path: Path) -> list[Path]:
    """The existing files of the log, rotated ones included, the oldest first."""
    older = sorted(
        (each for each in path.parent.glob(f"{path.name}.*") if each.suffix[1:].isdigit()),
        key=lambda each: -int(each.suffix[1:]),
    )
    return [*older, *([path] if _is_there(path) else [])]


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return False
    except OSError:
        return True  # Reading it reports the reason.
    return True


def _iter_lines(files: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Yield the entries of *files*; broken lines are left out."""
    for each in files:
        for line in _read(each).splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # A process was killed while it wrote this line.
            if isinstance(entry, dict) and "at" in entry:
                yield entry


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return ""  # A server is just starting a new file.
    except OSError as error:
        why = describe_os_error(error)
        raise ConfigError(f"The audit log {printable(path)} cannot be read ({why}).") from error


def _is_since(entry: dict[str, Any], begin: datetime) -> bool:
    """Whether an entry is from *begin* or later; False if its time is invalid."""
    try:
        return datetime.fromisoformat(str(entry["at"])) >= begin
    except (ValueError, TypeError):
        return False


def _parse_time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        msg = f"--since {text[:40]!r} is not a time. Write it as 2026-01-31 or 2026-01-31T12:00."
        raise ConfigError(msg) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
