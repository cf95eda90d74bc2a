"""
Refuse settings of dlt that a sync cannot work with, before anything is changed.

:mod:`harvest_source.warehouse.dlt_settings` lists them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dlt

from harvest_source.dlt_internals import (
    NAMING_ERRORS,
    FoundSetting,
    explain_malformed,
    find_setting,
    has_other_naming,
)
from harvest_source.errors import ConfigError, printable
from harvest_source.load.state import SOURCE
from harvest_source.schema.endpoints import ENDPOINTS
from harvest_source.warehouse.dlt_settings import iter_refused, iter_settings
from harvest_source.warehouse.setting_rules import SectionRules
from harvest_source.warehouse.target import Target

_UNCHANGED: Final = "No table was read and nothing changed."


def check_settings(target: Target) -> None:
    """
    Refuse settings of dlt that would break what a sync promises, or that dlt cannot read.

    Reads configuration only.

    Raises:
        ConfigError: Names the setting, where it comes from, and what to use instead.
    """
    check_staging(target)
    reread = target.build_command("sync --full-refresh")
    for section, setting in iter_refused():
        instead = setting.instead.format(reread=reread)
        for name in setting.names.split(", "):
            for found in _iter_found(target, section, name):
                if not setting.is_harmless(found.value):
                    raise ConfigError(_explain(name, found, setting.why, instead))
    for section, name in iter_settings():
        for found in _iter_found(target, section, name):
            if why := explain_malformed(section.name, name, found.value):
                raise ConfigError(_explain(name, found, why, ""))


def _iter_found(target: Target, section: SectionRules, name: str) -> Iterator[FoundSetting]:
    of_run = target.destination if section.name.startswith("destination") else target.pipeline
    for place in section.places:
        where = tuple(of_run if each == "NAME" else each for each in place)
        found = find_setting(name, where, section.inner, target.pipeline)
        if found is not None:
            yield found


def _explain(name: str, found: FoundSetting, why: str, instead: str) -> str:
    text = (
        f"dlt's setting {name} is {printable(found.value, limit=60)!r} ({found.place}): {why}. "
        f"{_UNCHANGED} {'Remove' if instead else 'Correct or remove'} it, or unset it for this "
        f"command. {instead}"
    )
    return text.rstrip()


def describe_unused(target: Target) -> list[str]:
    """
    Build warnings of settings that seem to say where the tables go but have no effect.

    A sync names the DuckDB file itself, so dlt's own setting for it is not used.
    """
    place = ("destination", target.destination)
    found = find_setting("database", place, "credentials", target.pipeline)
    found = found or find_setting("credentials", place, "", target.pipeline)
    if target.database is None or found is None or not isinstance(found.value, str):
        return []
    file = found.value.removeprefix("duckdb:///").partition("?")[0]
    if Path(file).absolute() == target.database.absolute():
        return []
    return [
        f"dlt's setting credentials ({found.place}) names another DuckDB file and is not used: the "
        f"tables go to {target.database}. To use that file: --database {printable(file, limit=80)}"
    ]


def check_pipeline(pipeline: dlt.Pipeline, target: Target) -> None:
    """
    Refuse a pipeline that differs from what was requested, because of a setting unknown to us.

    Raises:
        ConfigError: Names the difference.
    """
    wanted: dict[str, tuple[Any, Any]] = {
        "refresh": (pipeline.refresh, None),
        "dev_mode": (pipeline.dev_mode, False),
        "dataset_name": (pipeline.dataset_name, target.dataset),
    }
    for name, (value, right) in wanted.items():
        if value != right:
            msg = (
                f"dlt's setting {name} is {printable(value, limit=60)!r}, and a sync needs "
                f"{right!r}. {_UNCHANGED} Remove that setting."
            )
            raise ConfigError(msg)
    if pipeline.default_schema_name is None:
        _check_new_names()


def _check_new_names() -> None:
    """Refuse a naming convention that does not exist, or that would rename our tables."""
    try:
        keeps_names = _keeps_names(dlt.Schema(SOURCE))
    except NAMING_ERRORS as error:
        raise ConfigError(_explain_naming(printable(error))) from error
    if not keeps_names:
        raise ConfigError(_explain_naming("the tables would not have the names that we give them"))


def check_naming(schema: dlt.Schema) -> None:
    """
    Refuse a naming convention that would rename the existing tables of *schema*.

    Raises:
        ConfigError: Names the setting, where it comes from, and what to use instead.
    """
    try:
        is_other = has_other_naming(schema)
    except NAMING_ERRORS as error:
        raise ConfigError(_explain_naming(printable(error))) from error
    if is_other:
        used = type(schema.naming).__module__.rpartition(".")[2]
        why = f"the tables of this warehouse were named by {used}, and names never change"
        raise ConfigError(_explain_naming(why))


def _keeps_names(schema: dlt.Schema) -> bool:
    naming = schema.naming
    return all(
        naming.normalize_tables_path(endpoint.name) == endpoint.name
        and all(naming.normalize_path(each.name) == each.name for each in endpoint.columns)
        for endpoint in ENDPOINTS
    )


def _explain_naming(why: str) -> str:
    found = find_setting("naming", ("sources", SOURCE), "schema")
    where = f" is {printable(found.value, limit=60)!r} ({found.place})" if found else ""
    return (
        f"dlt's setting schema.naming{where} cannot be used: {why.rstrip('.')}. {_UNCHANGED} "
        "Remove it, or unset it for this command; with another --dataset or --database, a "
        "convention such as direct can be chosen."
    )


def check_staging(target: Target) -> None:
    """
    Refuse to use the dataset as its own staging dataset: every load would empty its tables first.

    Raises:
        ConfigError: dlt's staging dataset would be the dataset. Names where that is set.
    """
    name = "staging_dataset_name_layout"
    found = find_setting(name, ("destination", target.destination), "", target.pipeline)
    if found is None:
        return
    layout = str(found.value)
    staging = layout.replace("%s", target.dataset)
    if staging == target.dataset:
        msg = (
            f"dlt's setting {name} is {printable(layout, limit=60)!r} ({found.place}): dataset "
            f"{target.dataset} would be its own staging dataset, which each load empties. "
            f"{_UNCHANGED} Remove it; the default is %s_staging."
        )
        raise ConfigError(msg)
