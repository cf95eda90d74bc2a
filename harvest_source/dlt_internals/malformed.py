"""Values of dlt's own settings that dlt cannot read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args, get_origin

import dlt
from dlt.common.configuration import ConfigValueCannotBeCoercedException
from dlt.common.configuration.exceptions import ConfigurationException
from dlt.common.configuration.specs import BaseConfiguration
from dlt.common.configuration.specs.base_configuration import (
    extract_inner_hint,
    is_base_configuration_inner_hint,
)
from dlt.common.configuration.specs.config_providers_context import ConfigProvidersConfiguration
from dlt.common.configuration.specs.runtime_configuration import RuntimeConfiguration
from dlt.common.configuration.utils import deserialize_value
from dlt.common.data_writers.buffered import BufferedDataWriter
from dlt.common.destination.client import DestinationClientDwhWithStagingConfiguration
from dlt.common.destination.configuration import CsvFormatConfiguration, ParquetFormatConfiguration
from dlt.common.runtime.init import initialize_runtime
from dlt.common.schema.configuration import SchemaConfiguration
from dlt.common.storages import (
    LoadStorageConfiguration,
    NormalizeStorageConfiguration,
    SchemaStorageConfiguration,
)
from dlt.extract.pipe_iterator import PipeIterator
from dlt.load.configuration import LoaderConfiguration
from dlt.normalize.configuration import ItemsNormalizerConfiguration, NormalizeConfiguration
from dlt.pipeline.configuration import PipelineConfiguration, PipelineRuntimeConfiguration

from harvest_source.dlt_internals.settings import find_setting

SPECS: Final[Mapping[str, tuple[type[BaseConfiguration], ...]]] = {
    "pipelines.NAME": (PipelineConfiguration,),
    "load": (LoaderConfiguration, LoadStorageConfiguration),
    "extract": (PipeIterator.PipeIteratorConfiguration,),
    "normalize": (NormalizeConfiguration, NormalizeStorageConfiguration),
    "normalize.json_normalizer": (ItemsNormalizerConfiguration,),
    "normalize.parquet_normalizer": (ItemsNormalizerConfiguration,),
    "normalize.model_normalizer": (ItemsNormalizerConfiguration,),
    "schema": (SchemaConfiguration, SchemaStorageConfiguration),
    "data_writer": (
        BufferedDataWriter.BufferedDataWriterConfiguration,
        CsvFormatConfiguration,
        ParquetFormatConfiguration,
    ),
    "destination.NAME": (DestinationClientDwhWithStagingConfiguration,),
    "runtime": (RuntimeConfiguration, PipelineRuntimeConfiguration),
    "providers": (ConfigProvidersConfiguration,),
}
"""
dlt's own lists of settings by section, as ``warehouse.dlt_settings`` names the sections.

Without these classes: state the type of each setting in ``warehouse.dlt_settings``.
"""

_WANTED: Final = {bool: "true or false", int: "a whole number", float: "a number"}


@dataclass(frozen=True, slots=True)
class Unusable:
    """
    A setting with which dlt cannot start.

    Attributes:
        name: Empty if no single setting is the cause.
        place: Key and file or variable; empty if unknown.
        why: Says what is wrong, without a full stop.
    """

    name: str
    place: str
    why: str


def explain_malformed(section: str, name: str, value: Any) -> str:
    """
    What dlt needs in place of *value* (``dlt needs a whole number``); empty if dlt can read it.

    Sections that are a value, such as credentials, are not checked.

    dlt reads each setting only when a step needs it, some of them after the rows were read, and
    its error does not say where the value is. Without ``deserialize_value``: parse the values here.
    """
    for spec in SPECS[section]:
        hint = spec.get_resolvable_fields().get(name)
        if hint is not None:
            wanted = extract_inner_hint(hint, preserve_literal=True)
            if is_base_configuration_inner_hint(wanted):
                return ""
            try:
                deserialize_value(name, value, wanted)
            except ConfigValueCannotBeCoercedException:
                return f"dlt needs {_describe(wanted)}"
    return ""


def _describe(hint: Any) -> str:
    if get_origin(hint) is Literal:
        *most, last = map(str, get_args(hint))
        return f"{', '.join(most)} or {last}" if most else last
    return _WANTED.get(hint, f"a value of type {getattr(hint, '__name__', hint)}")


def find_unusable_runtime() -> Unusable | None:
    """
    Start dlt, which sets up its log; return the setting of ``[runtime]`` that prevents this.

    dlt raises whatever Python's logging, or a library that is missing, raises. Without
    ``initialize_runtime``: return the error without the setting.

    Raises:
        ConfigurationException: A file of settings cannot be read.
    """
    try:
        list(dlt.config.config_providers)
    except Exception as error:
        is_of_file = isinstance(error, ConfigurationException)
        if is_of_file and not isinstance(error, ConfigValueCannotBeCoercedException):
            raise
        return _find_unusable() or Unusable("", "", str(error))
    return None


def _find_unusable() -> Unusable | None:
    for name in RuntimeConfiguration.get_resolvable_fields():
        found = find_setting(name, (), "runtime")
        if found is not None:
            why = explain_malformed("runtime", name, found.value) or _start_with(name, found.value)
            if why:
                return Unusable(name, found.place, why)
    return None


def _start_with(name: str, value: Any) -> str:
    """Why dlt cannot start with this setting and no other; empty if it can."""
    config = RuntimeConfiguration()
    config.dlthub_telemetry = False
    hint = extract_inner_hint(RuntimeConfiguration.get_resolvable_fields()[name])
    config[name] = deserialize_value(name, value, hint)
    try:
        initialize_runtime("dlt", config)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""
