"""The parts of the documents that repeat the code: tables, columns, keys, help, exit codes."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import click
from click.testing import CliRunner

from harvest_source.ask.mcp.tools import TOOLS
from harvest_source.cli import main as cli
from harvest_source.cli.json_log import EVENTS
from harvest_source.cli.options import Context
from harvest_source.config import spec
from harvest_source.exit_codes import ExitCode
from harvest_source.load import own_tables
from harvest_source.schema.columns import Column
from harvest_source.schema.endpoint import Endpoint, ReadStrategy
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS, ENDPOINTS
from harvest_source.warehouse.dlt_settings import SECTIONS
from harvest_source.warehouse.setting_rules import Rule

HARVEST_REFERENCE: Final = "https://help.getharvest.com/api-v2/"
README_KEYS: Final = ("account_id", "start_date", "rate_limit")
"""The keys that the README shows."""

_READ_BY: Final = {
    ReadStrategy.CHANGES: "changes",
    ReadStrategy.WHOLE: "whole, every run",
    ReadStrategy.CHILDREN: "per parent: changed ones, weekly all",
    ReadStrategy.WINDOWS: "by year: recent ones every run, weekly all",
    ReadStrategy.SNAPSHOT: "whole, once a day",
}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [f"| {' | '.join(line)} |" for line in (headings, *rows)]
    return "\n".join((lines[0], "|---" * len(headings) + "|", *lines[1:]))


def code(names: Iterable[str]) -> str:
    """Names as code, separated by commas; ``-`` if there are none."""
    return ", ".join(f"`{name}`" for name in names) or "-"


def build_table_groups() -> str:
    """The tables, grouped by how they are read: the README's short form."""
    groups: dict[str, list[str]] = {}
    for endpoint in DEFAULT_ENDPOINTS:
        groups.setdefault(_READ_BY[endpoint.strategy], []).append(endpoint.name)
    rows = [(how, code(names)) for how, names in groups.items()]
    more = len(ENDPOINTS) - len(DEFAULT_ENDPOINTS)
    rows.append(("if named with `--table`", f"{more} more: reports, teammates, more assignments"))
    return table(("Read", "Tables"), rows)


def build_tables() -> str:
    """One line for each endpoint."""
    headings = ("Table", "Child tables", "Key", "Read", "Who may read it")
    return table(headings, map(_table_row, ENDPOINTS))


def _table_row(endpoint: Endpoint) -> tuple[str, ...]:
    return (
        f"[`{endpoint.name}`](columns.md#{endpoint.name})",
        code(endpoint.child_tables),
        f"`{', '.join(endpoint.key)}`",
        _READ_BY[endpoint.strategy] + ("" if endpoint.default else "; only if named"),
        endpoint.permission,
    )


def build_columns() -> str:
    """Every column of every table, under the table's name."""
    return "\n\n".join(chain.from_iterable(map(_column_sections, ENDPOINTS)))


def _column_sections(endpoint: Endpoint) -> Iterator[str]:
    yield f"## {endpoint.name}"
    link = f"[Harvest's documentation]({HARVEST_REFERENCE}{endpoint.docs})"
    yield f"{link}. Key: {code(endpoint.key)}."
    yield _column_table(endpoint.columns)
    for child in endpoint.record.children:
        yield f"### {endpoint.name}__{child.name}"
        yield f"{child.description}."
        yield _column_table(endpoint.child_columns(child))


def _column_table(columns: Iterable[Column]) -> str:
    return table(("Column", "Type", "Description"), map(_column_row, columns))


def _column_row(column: Column) -> tuple[str, ...]:
    notes = (
        f"; id in `{column.of}`" if column.of else "",
        "; left out unless `include` names it" if column.secret else "",
    )
    return f"`{column.name}`", column.type, column.description.replace("|", r"\|") + "".join(notes)


def build_dlt_settings() -> str:
    """Every setting of dlt, with what a sync does about it."""
    rows = [
        (rule.value, f"`{section.name}`", code(setting.names.split(", ")), _sentence(setting.why))
        for rule in (Rule.REFUSED, Rule.OVERRIDDEN, Rule.FREE)
        for section in SECTIONS
        for setting in section.settings
        if setting.rule is rule
    ]
    return table(("Rule", "Section", "Settings", "Why"), rows)


def _sentence(clause: str) -> str:
    """*clause* with a full stop and a capital; dlt is written small wherever it stands."""
    first = clause[0] if clause.startswith("dlt") else clause[0].upper()
    return f"{first}{clause[1:]}."


def build_own_tables() -> str:
    """The columns of our own tables."""
    shown = {
        name: [column for column in columns if not column.startswith("_dlt_")]
        for name, columns in own_tables.COLUMNS.items()
    }
    rows = ((f"`{name}`", code(columns)) for name, columns in shown.items())
    return table(("Table", "Columns"), rows)


def build_diagram() -> str:
    """The tables that are read by default and their references, for Mermaid."""
    tables = {name for each in DEFAULT_ENDPOINTS for name in (each.name, *each.child_tables)}
    lines = [
        f"    {each.name} ||--o{{ {child} : has"
        for each in DEFAULT_ENDPOINTS
        for child in each.child_tables
        if not any(r.to == each.name and r.table == child for r in each.references)
    ]
    lines += [
        f"    {reference.to} |o--o{{ {reference.table} : {reference.column}"
        for each in DEFAULT_ENDPOINTS
        for reference in each.references
        if reference.to in tables
    ]
    drawn = {name for line in lines for name in line.split()}
    alone = [f"    {name}" for name in sorted(tables - drawn)]
    return "\n".join(["```mermaid", "erDiagram", *lines, *alone, "```"])


@dataclass(frozen=True, slots=True)
class Key:
    """One key of ``[sources.harvest]``."""

    name: str
    meaning: str
    default: str


def read_keys() -> tuple[Key, ...]:
    """Keys of the configuration specs in order, each with the docstring below it."""
    credentials = _read_spec(spec.HarvestCredentials)
    settings = _read_spec(spec.HarvestConfiguration)
    named = [Key(f"credentials.{key.name}", key.meaning, key.default) for key in credentials]
    return (*named, *(key for key in settings if key.name != "credentials"))


def _read_spec(configuration: Any) -> tuple[Key, ...]:
    docstrings = read_field_docstrings(configuration)
    fields = configuration.get_resolvable_fields()
    missing = fields.keys() - docstrings.keys() - {"credentials"}
    if missing:
        raise SystemExit(f"{configuration.__name__}: no docstring below {', '.join(missing)}")
    return tuple(
        _build_key(name, docstrings.get(name, ""), getattr(configuration, name)) for name in fields
    )


def _build_key(name: str, docstring: str, value: object) -> Key:
    meaning, _, default = docstring.partition(" Default: ")
    if value is not None:
        default = f"`{value}`"
    return Key(name, meaning.rstrip("."), default.rstrip(".") or "none")


def read_field_docstrings(configuration: type) -> Mapping[str, str]:
    """The docstrings below the fields of a class, each on one line."""
    [body] = ast.parse(inspect.getsource(configuration)).body
    assert isinstance(body, ast.ClassDef)
    found = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(ast.Constant(str() as text)),
            ):
                found[name] = " ".join(text.split())
    return found


def build_keys(names: Sequence[str] = ()) -> str:
    """The configuration keys with these *names*; all keys if no name is given."""
    rows = [
        (f"`{key.name}`", key.meaning, key.default)
        for key in read_keys()
        if not names or key.name in names
    ]
    return table(("Key", "Meaning", "Default"), rows)


def build_events() -> str:
    """The events of ``--log-format json``."""
    return table(("`event`", "Line"), ((f"`{name}`", text) for name, text in EVENTS.items()))


def build_exit_codes() -> str:
    """The exit codes, each with the docstring below it."""
    meanings = read_field_docstrings(ExitCode)
    rows = [(str(int(each)), meanings[each.name].rstrip(".")) for each in ExitCode]
    return table(("Exit code", "Meaning"), rows)


def iter_commands(
    group: click.Group = cli.main, above: tuple[str, ...] = ()
) -> Iterator[tuple[str, click.Command]]:
    """Every command by its full name, such as ``auth login``."""
    for name, command in sorted(group.commands.items()):
        path = (*above, name)
        yield " ".join(path), command
        if isinstance(command, click.Group):
            yield from iter_commands(command, path)


def build_help(command: str = "") -> str:
    """What ``harvest-source COMMAND --help`` prints."""
    result = CliRunner().invoke(
        cli.main,
        [*command.split(), "--help"],
        prog_name="harvest-source",
        terminal_width=100,
        obj=Context(),
    )
    assert result.exit_code == 0, result.output
    return f"```text\n{re.sub(r' +$', '', result.output, flags=re.MULTILINE)}```"


def build_tools() -> str:
    """The tools that agents can call, with the arguments of each."""
    rows = [
        (code([tool.name]), tool.description, code(tool.arguments.model_fields))
        for tool in TOOLS.values()
    ]
    return table(("Tool", "What it answers", "Arguments"), rows)
