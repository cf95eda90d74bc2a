"""The message for a missing token: where it was looked for, and similar names that are not read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from harvest_source.dlt_internals import (
    find_source_section,
    iter_config_files,
    iter_config_values,
)
from harvest_source.errors import printable

_LOOKS_LIKE_OURS: Final = re.compile(r"HARVEST.*(TOKEN|SECRET|KEY)", re.IGNORECASE)
_NOT_A_SIGN_IN: Final = "HARVEST_SOURCE_"
"""Prefix of our own variables that do not hold a token, such as the vault's key."""

_PROFILES: Final = "PROFILES__"

_SHORT_SECTIONS: Final = (("sources", "credentials"), ("sources",), ("credentials",), ())
"""Sections in which dlt itself would go on to look for a token, and we do not."""


def explain_missing_token(vault: str) -> str:
    """
    The message: what is missing, where it was looked for, what is not read, and what to do.

    Args:
        vault: Where saved sign-ins are kept, or why there is no such place.
    """
    section = ".".join(find_source_section())
    variable = "__".join((*find_source_section(), "credentials", "access_token")).upper()
    files = [str(path) for path in iter_config_files()]
    places = ", ".join([f"{variable} in the environment", *files, vault])
    variables = _iter_variables(os.environ, "__".join(find_source_section()).upper() + "__")
    found = (*variables, *_iter_short_places(section), *_iter_files(files))
    unread = "".join(f" {each}" for each in found)
    return (
        f"No Harvest access token was found. Looked for it in: {places}.{unread} Make one at "
        "https://id.getharvest.com/developers and put it into .dlt/secrets.toml as access_token "
        f"under [{section}.credentials], or into the environment as {variable}; or sign in "
        "with: harvest-source auth login. Without an account: add --sandbox."
    )


def _iter_variables(environment: Mapping[str, str], prefix: str) -> Iterator[str]:
    """
    Name variables that look like a token of Harvest's and were not read.

    Args:
        prefix: Of the variables that are read. Unknown names with it were refused before, and the
            known ones are no token: the app's secret, for example.
    """
    for name in sorted(filter(_LOOKS_LIKE_OURS.search, environment)):
        if name.startswith(prefix + _PROFILES):
            profile = name.removeprefix(prefix + _PROFILES).partition("__")[0].lower()
            yield f"{printable(name)} is read only with --profile {printable(profile)}."
        elif not name.startswith((prefix, _NOT_A_SIGN_IN)):
            yield f"{printable(name)} is set, but that name is not read."


def _iter_short_places(section: str) -> Iterator[str]:
    """
    Name tokens outside our sections. They may be another program's, and would be sent to Harvest.

    Args:
        section: The section that is read.
    """
    for name in ("access_token", "refresh_token"):
        for sections in _SHORT_SECTIONS:
            for value, key, provider in iter_config_values(name, *sections):
                if isinstance(value, str):
                    place = key if provider.startswith("Env") else f"{key} in {provider}"
                    yield f"{place} is set, but without {section} it is not read."


def _iter_files(read: Iterable[str]) -> Iterator[str]:
    """Name files that users create by mistake, in the wrong place, and that are not read."""
    for name in ("secrets.toml", "secret.toml", ".env", ".dlt/secret.toml", ".dlt/.env"):
        path = Path(name).absolute()
        if path.is_file() and str(path) not in read:
            yield f"{path} exists, but that file is not read."
