"""dlt's settings: our table lists all of them, and the forbidden ones are refused."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs.pluggable_run_context import PluggableRunContext

from harvest_source.dlt_internals.malformed import SPECS
from harvest_source.errors import ConfigError
from harvest_source.warehouse.dlt_settings import SECTIONS, iter_refused
from harvest_source.warehouse.setting_rules import SectionRules, SettingRule
from harvest_source.warehouse.settings_checks import check_settings
from harvest_source.warehouse.target import Target

TARGET = Target(pipeline="nightly")

NO_SETTINGS = {
    "default_schema_name",
    "dataset_name",
    "destination_capabilities",
    "json_normalizer",
    "model_normalizer",
    "parquet_normalizer",
    "pluggable_run_context",
    "runtime",
}
"""Fields of those lists that are no settings: other sections, or values of a run."""


def names_of(settings: Iterable[SettingRule]) -> set[str]:
    return {name for setting in settings for name in setting.names.split(", ")}


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.name)
def test_every_setting_of_dlt_has_its_rule(section: SectionRules) -> None:
    """A new dlt with a setting that we have not considered fails here."""
    fields = {
        name
        for spec in SPECS[section.name]
        for name in spec.get_resolvable_fields()
        if not name.startswith("_")
    }
    known = names_of(section.settings) | NO_SETTINGS
    assert fields <= known
    assert names_of(section.settings) <= fields


def test_every_list_of_settings_was_read() -> None:
    """The table has a section for each of dlt's lists, once."""
    assert [section.name for section in SECTIONS] == list(SPECS)


REFUSED = [
    (name, "__".join((*place, *filter(None, [section.inner]), name)).upper(), setting)
    for section, setting in iter_refused()
    for name in setting.names.split(", ")
    for place in [(), *section.places]
]
"""A setting's name, an environment variable that sets it, and its rule."""


@pytest.mark.parametrize(
    ("name", "variable", "setting"), REFUSED, ids=[variable for _, variable, _ in REFUSED]
)
def test_a_forbidden_setting_is_found_and_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, variable: str, setting: SettingRule
) -> None:
    """It is found wherever dlt would find it; the error has setting, place and replacement."""
    variable = variable.replace("__NAME__", "__NIGHTLY__")
    for value in ("drop_data", "true", "false"):
        if setting.is_harmless(value):
            continue
        monkeypatch.setenv(variable, value)
        with pytest.raises(ConfigError) as caught:
            check_settings(TARGET)
        message = str(caught.value)
        assert f"setting {name} is '{value}'" in message
        assert f"{variable} in the environment" in message
        assert setting.why in message
        reread = "harvest-source sync --full-refresh --pipeline nightly"
        assert setting.instead.format(reread=reread) in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DEV_MODE", "false"),
        ("FULL_REFRESH", "0"),
        ("DATASET_NAME_LAYOUT", "%s"),
        ("USE_SINGLE_DATASET", "True"),
        ("LOAD__RAISE_ON_FAILED_JOBS", "true"),
        ("DATA_WRITER__COERCE_TIMESTAMPS", "us"),
        ("PIPELINES__ANOTHER__REFRESH", "drop_data"),
        ("LOAD__WORKERS", "3"),
    ],
)
def test_a_harmless_setting_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Such are dlt's default written out, another pipeline's settings, and harmless settings."""
    monkeypatch.setenv(variable, value)
    check_settings(TARGET)


@pytest.mark.parametrize("variable", ["LOAD__WORKERS", "NORMALIZE__WORKERS", "WORKERS"])
@pytest.mark.parametrize("value", ["0", "", "-1", "two", "1.5"])
def test_a_number_of_workers_that_dlt_cannot_use_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """dlt would refuse it in the middle of a load, in words about the destination."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"workers is '{value}' .{variable} in the environment"):
        check_settings(TARGET)


def test_a_number_of_workers_that_python_cannot_parse_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``int()`` takes 4,300 digits at most."""
    monkeypatch.setenv("LOAD__WORKERS", "9" * 5000)
    with pytest.raises(ConfigError, match=r"workers is '9+.*dlt needs a whole number"):
        check_settings(TARGET)


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("LOAD__DELETE_COMPLETED_JOBS", "maybe", "true or false"),
        ("POOL_TYPE", "threads", "process, thread or none"),
        ("NIGHTLY__LOAD__RUN_SLEEP", "long", "a number"),
        ("EXTRACT__WORKERS", "many", "a whole number"),
        ("NORMALIZE__MODEL_NORMALIZER__ADD_DLT_ID", "maybe", "true or false"),
        ("SOURCES__HARVEST__DATA_WRITER__BUFFER_MAX_ITEMS", "", "a whole number"),
        ("DESTINATION__DUCKDB__REPLACE_STRATEGY", "fast", "truncate-and-insert, "),
        ("RUNTIME__INTERCEPT_SIGNALS", "maybe", "true or false"),
        ("PIPELINES__NIGHTLY__ENABLE_RUNTIME_TRACE", "maybe", "true or false"),
    ],
)
def test_a_value_that_dlt_cannot_read_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, wanted: str
) -> None:
    """dlt reads many settings after the rows, and names neither the file nor the variable."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError) as caught:
        check_settings(TARGET)
    assert f"is '{value}' ({variable} in the environment): dlt needs {wanted}" in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "instead"),
    [
        ("NORMALIZE__START_METHOD", "thread", "spawn"),
        ("DATA_WRITER__VERSION", "9", "2.4"),
        ("DATA_WRITER__ROW_GROUP_SIZE", "0", "at least 1"),
    ],
)
def test_a_value_that_only_a_library_refuses_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, instead: str
) -> None:
    """dlt accepts it, and Python or Arrow raise in the middle of a run."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=f"{variable} in the environment") as caught:
        check_settings(TARGET)
    assert instead in str(caught.value)


def test_a_setting_in_a_file_is_reported_with_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A setting in config.toml is reported with the file's path."""
    folder = tmp_path / ".dlt"
    folder.mkdir()
    (folder / "config.toml").write_text('[pipelines.nightly]\nrefresh = "drop_sources"\n')
    monkeypatch.delenv("DLT_PROJECT_DIR", raising=False)
    context = Container()[PluggableRunContext]
    before = context.context.run_dir
    context.reload(str(tmp_path))
    try:
        with pytest.raises(ConfigError, match=r"nightly\.refresh in .*config\.toml"):
            check_settings(TARGET)
    finally:
        context.reload(before)
