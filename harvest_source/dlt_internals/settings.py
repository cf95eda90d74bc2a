"""dlt's configuration, and its log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dlt
from dlt.common import logger


def iter_config_values(name: str, *sections: str) -> Iterator[tuple[Any, str, str]]:
    """
    ``(value, key, provider)`` of a setting, of each configuration provider that has it, in order.

    ``dlt.config[...]`` gives the value only; people need to know where it came from. Without the
    providers: give the key as dlt spells it and leave out the place.
    """
    for provider in dlt.config.config_providers:
        value, key = provider.get_value(name, str, "", *sections)
        if value is not None:
            yield value, key, provider.name


def log_warning(message: str) -> None:
    """
    Put *message* into dlt's log, where users of plain dlt look.

    Without dlt's logger: ``logging.getLogger("dlt")``, which dlt configures by the same settings.
    """
    logger.warning(message)
