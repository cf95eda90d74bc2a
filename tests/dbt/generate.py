"""
Write the generated files of the dbt package; ``python -m tests.docs.generate`` calls it.

Sources and staging views follow the declarations of :mod:`harvest_source.schema`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import yaml

from harvest_source.schema.columns import Type
from tests.dbt.declared import SOURCES, VIEWS, Source

PACKAGE: Final = Path(__file__).parents[2] / "harvest_source" / "dbt"
STAGING: Final = Path("models/staging")
CONTRACTS: Final = Path("models/marts/_harvest__models.yml")
_NOTE: Final = "# Generated from the declarations: python -m tests.docs.generate"
_FRESHNESS: Final = """\
    config:
      # By the syncs: updated_at would call a quiet table stale. dbt 1.10.9 knows no source() here.
      loaded_at_query: >-
        select max(ended_at) from
        {{ var('harvest_database') ~ '.' if var('harvest_database') else '' }}{{
        var('harvest_schema') }}.sync_runs where status in ('ok', 'partial')
      freshness:
        warn_after: {count: 36, period: hour}
        error_after: {count: 72, period: hour}"""
_SQL_TYPES: Final[Mapping[Type, str]] = {
    Type.BIGINT: "bigint",
    Type.DECIMAL: "decimal(38,9)",
    Type.TEXT: "text",
    Type.BOOL: "boolean",
    Type.DATE: "date",
    Type.TIMESTAMP: "timestamp with time zone",
    Type.JSON: "json",
}


def build_files() -> dict[Path, str]:
    """Every generated file, by its path in the package."""
    files = {STAGING / f"{view.source.view}.sql": view.build_sql() for view in VIEWS}
    files[STAGING / "_harvest__sources.yml"] = "\n".join(_build_sources())
    files[STAGING / "_stg_harvest__models.yml"] = "\n".join(_build_models())
    files[Path("models/intermediate/int_harvest__misfits.sql")] = _build_misfits()
    return files


def find_differences() -> list[str]:
    """Generated files that differ from the package's, and files that it should not have."""
    files = build_files()
    there = {path.relative_to(PACKAGE) for path in (PACKAGE / STAGING).iterdir()}
    different = [path for path, text in files.items() if _read(PACKAGE / path) != text]
    return sorted(str(path) for path in {*different, *(there - files.keys())})


def write_files() -> None:
    """Write the generated files, and remove those of tables that no longer exist."""
    files = build_files()
    for path in (PACKAGE / STAGING).glob("*"):
        if path.relative_to(PACKAGE) not in files:
            path.unlink()
    for path, text in files.items():
        (PACKAGE / path).write_text(text)


def build_marts() -> str:
    """The marts as a table in Markdown."""
    contracts = yaml.safe_load((PACKAGE / CONTRACTS).read_text())["models"]
    lines = ["| Mart | One row for each | What it is |", "|---|---|---|"]
    for model in contracts:
        (grain,) = (test["unique_grain"] for test in model["data_tests"] if "unique_grain" in test)
        key = ", ".join(f"`{column}`" for column in grain["arguments"]["columns"])
        lines.append(f"| `{model['name']}` | {key} | {model['description']} |")
    return "\n".join(lines)


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _build_sources() -> Iterable[str]:
    yield from (_NOTE, "version: 2", "", "sources:", "  - name: harvest")
    yield "    description: The tables of harvest-source, as Harvest sent them."
    yield "    database: \"{{ var('harvest_database') or target.database }}\""
    yield "    schema: \"{{ var('harvest_schema') }}\""
    yield _FRESHNESS
    yield "    tables:"
    for source in SOURCES:
        yield f"      - name: {source.name}"
        yield f"        description: {_quote(source.description)}"
        yield "        columns:"
        for column in source.columns:
            kind = _SQL_TYPES[column.type]
            yield (
                f"          - {{name: {column.name}, data_type: {_quote(kind)}, "
                f"description: {_quote(column.description)}}}"
            )
    yield "      - name: _dlt_loads"
    yield "        description: Load packages of dlt."
    yield ""


def _build_models() -> Iterable[str]:
    yield from (_NOTE, "version: 2", "", "models:")
    for view in VIEWS:
        properties = view.build_properties()
        columns = properties.pop("columns")
        assert isinstance(columns, list)
        yield f"  - name: {properties['name']}"
        yield f"    description: {_quote(str(properties['description']))}"
        if not view.source.is_default:
            yield (
                "    config: {enabled: \"{{ '"
                f"{view.source.name}' in var('harvest_optional_tables', []) }}}}\"}}"
            )
        if tests := properties.get("data_tests"):
            yield "    data_tests:"
            yield from (f"      - {json.dumps(test)}" for test in _as_list(tests))
        yield "    columns:"
        for column in columns:
            tests = column.get("data_tests")
            yield f"      - name: {column['name']}"
            yield f"        description: {_quote(column['description'])}"
            if tests:
                yield f"        data_tests: {json.dumps(tests)}"
    yield ""


def _as_list(tests: object) -> list[object]:
    assert isinstance(tests, list)
    return tests


def _build_misfits() -> str:
    """Build the query for values that the models' decimals do not hold, by table, row, column."""
    selects = []
    for source in SOURCES:
        decimals = [each for each in source.columns if each.type is Type.DECIMAL]
        if not decimals or not source.is_default or not source.own_id or "_history" in source.name:
            continue
        selects.append(_build_misfits_of(source))
    return "\n".join(
        (
            "-- Generated from the declarations: python -m tests.docs.generate",
            "-- Decimals that the models cannot hold: rounded to their places, or null if large.",
            "\nunion all\n".join(selects),
            "",
        )
    )


def _build_misfits_of(source: Source) -> str:
    columns = ", ".join(
        f"('{each.name}', {each.places})" for each in source.columns if each.type is Type.DECIMAL
    )
    module = f"'{source.module}'" if source.module else "none"
    return f"{{{{ harvest_source.misfits('{source.name}', {module}, [{columns}]) }}}}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
