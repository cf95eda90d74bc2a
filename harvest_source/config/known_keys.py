"""Refuse settings that nothing reads: misspelt keys, sections and variables of this package."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePath
from typing import Any, Final, get_args

from dlt.common.configuration.specs import BaseConfiguration

from harvest_source.config.parse import parse_exclude
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.defaults import SCOPE_KEYS
from harvest_source.dlt_internals import iter_config_sections, iter_config_values
from harvest_source.errors import ConfigError, printable
from harvest_source.schema.endpoints import BY_NAME

_PREFIX: Final = "SOURCES__HARVEST__"


def _list_texts(spec: type[BaseConfiguration]) -> frozenset[str]:
    """The keys of *spec* whose values are text."""
    fields = spec.get_resolvable_fields().items()
    return frozenset(name for name, hint in fields if str in {hint, *get_args(hint)})


_TEXTS: Final = _list_texts(HarvestConfiguration)
_SECRET_TEXTS: Final = frozenset({"access_token", "client_secret", "refresh_token"})
"""Credentials that are text; ``client_id`` may be given as a number, too."""
_CREDENTIALS: Final = frozenset(HarvestCredentials.get_resolvable_fields())
_KEYS: Final = frozenset(HarvestConfiguration.get_resolvable_fields())
_CREDENTIALS_KEY: Final = "credentials"
_PROFILE_KEYS: Final = frozenset({"account_id", _CREDENTIALS_KEY})

_PATHS: Final = frozenset({"vault_path", "access_log"})
"""Keys whose value may also be a path object in Python."""

_MAPPINGS: Final = frozenset({"issuer_scopes", "issuer_profiles"})
"""Keys whose value is a section in which the user chooses the names."""

_OF_DLT: Final = frozenset({"schema", "extract", "normalize", "load", "data_writer", *BY_NAME})
"""Sections below ours that dlt itself reads, for the source and for each resource."""

_MISTAKEN_SECTIONS: Final = (
    ("source", "harvest"),
    ("sources", "harvest_source"),
    ("sources", "Harvest"),
    ("Sources", "Harvest"),
    ("harvest",),
)
"""Sections that users mistake for ours."""

_NEAR: Final = 0.85
"""Similarity of two names for ``difflib``: of seven letters, one is missing or two are swapped."""

_MISTAKEN_PREFIXES: Final = ("SOURCE__HARVEST__", "SOURCES_HARVEST_", "SOURCES__HARVEST_SOURCE__")


def check_keys() -> None:
    """
    Refuse unknown keys of ``[sources.harvest]`` and unknown variables ``SOURCES__HARVEST__...``.

    If ``exclude`` were misspelt, for example, the columns it names would be loaded.

    Raises:
        ConfigError: Names the key, its place, and the nearest key that exists.
    """
    _check_sections()
    for where, path in (*_iter_unknown_keys(), *_iter_unknown_variables()):
        raise ConfigError(_explain_unknown(where, path))
    for place, section in _iter_mistaken_sections():
        msg = f"[{section}] in {place} is not read. Rename it to [sources.harvest]."
        raise ConfigError(msg)
    for name in sorted(os.environ):
        if _is_mistaken(name):
            msg = (
                f"{printable(name)} is not read. Our variables begin with {_PREFIX}, in capitals "
                "and without blanks."
            )
            raise ConfigError(msg)
    _check_short_excludes()


def check_given(overrides: Mapping[str, Any]) -> None:
    """
    Refuse unknown keys given in Python, as :func:`check_keys` does for files, and wrong types.

    In place of misspelt credentials, those of the environment would be used, which may belong to
    another person. dlt converts only what its providers have, not what is given in Python.

    Raises:
        ConfigError: Names the key and the nearest key that exists, or says that a value is not
            text, or that the credentials are not a mapping.
    """
    for name, value in overrides.items():
        if name not in _KEYS:
            raise ConfigError(_explain_unknown("given in Python", (str(name),)))
        if name != _CREDENTIALS_KEY:
            _check_text(name, value, _TEXTS)
        if name != _CREDENTIALS_KEY or value is None or isinstance(value, HarvestCredentials):
            continue
        if not isinstance(value, Mapping):
            msg = (
                "credentials have to be a mapping of keys to values, and what was given is not. "
                'Write credentials={"access_token": ...}; its keys: '
                f"{', '.join(sorted(_CREDENTIALS))}."
            )
            raise ConfigError(msg)
        for key, inner in value.items():
            if key not in _CREDENTIALS:
                raise ConfigError(_explain_unknown("given in Python", (name, str(key))))
            _check_text(key, inner, _SECRET_TEXTS)


def _check_text(name: str, value: object, texts: Collection[str]) -> None:
    """Refuse a *value* that is not text for one of the keys *texts*; never repeat it."""
    wanted = str | PurePath if name in _PATHS else str
    if name in texts and value is not None and not isinstance(value, wanted):
        msg = (
            f"{name} has to be text, and what was given in Python is of type "
            f'{printable(type(value).__name__, limit=40)}. Write {name}="...", or leave it out.'
        )
        raise ConfigError(msg)


def _check_sections() -> None:
    """
    Refuse a value in place of our section or of its credentials: nothing would be read from it.

    Raises:
        ConfigError: Names the place, and never repeats the value, which may be a token.
    """
    for path in (("sources", "harvest"), ("sources", "harvest", _CREDENTIALS_KEY)):
        for value, key, provider in iter_config_values(path[-1], *path[:-1]):
            if isinstance(value, Mapping) or not str(value).strip():
                continue
            inner = _PREFIX + ("CREDENTIALS__ACCESS_TOKEN" if len(path) > 2 else "ACCOUNT_ID")
            msg = (
                f"{key} in {provider} is a value, and nothing is read from it. It has to be a "
                f"section, [{'.'.join(path)}], with keys below it; in the environment each key has "
                f"a variable of its own, such as {inner}."
            )
            raise ConfigError(msg)


def _iter_mistaken_sections() -> Iterator[tuple[str, str]]:
    """The file and the name of each section that users mistake for ours, or misspelt."""
    for sections in _MISTAKEN_SECTIONS:
        for place, _ in iter_config_sections(*sections):
            yield place, ".".join(sections)
    for place, sources in iter_config_sections("sources"):
        for name, content in sources.items():
            paths = _iter_paths(content) if isinstance(content, Mapping) else ()
            # A source of that name may exist, so one of its keys must be ours.
            if _is_misspelt(name) and any(path[-1] in _find_siblings(path) for path in paths):
                yield place, f"sources.{printable(name)}"


def _is_misspelt(name: str) -> bool:
    """Whether *name* is nearly that of our section. ``harvest_2`` is another source's."""
    is_other = name.lower().startswith("harvest")
    return not is_other and bool(difflib.get_close_matches(name.lower(), ["harvest"], 1, _NEAR))


def _check_short_excludes() -> None:
    """
    Refuse columns of ours that are to be left out by a key or variable that is not read.

    ``exclude`` of another source or program names no column of ours, and is ignored.

    Raises:
        ConfigError: Names the place.
    """
    for sections in (("sources",), ()):
        for value, key, provider in iter_config_values("exclude", *sections):
            if _names_columns(value):
                where = "" if provider.startswith("Env") else f" in {provider}"
                msg = (
                    f"{key}{where} names columns of Harvest, but it is not read there, so they "
                    "would be loaded. Write it as exclude under [sources.harvest], or as "
                    f"{_PREFIX}EXCLUDE in the environment."
                )
                raise ConfigError(msg)


def _names_columns(value: object) -> bool:
    try:
        return bool(parse_exclude(value))
    except ConfigError:
        return False


def _iter_unknown_keys() -> Iterator[tuple[str, tuple[str, ...]]]:
    for place, section in iter_config_sections("sources", "harvest"):
        for path in _iter_paths(section):
            if not _is_known(path):
                yield f"in {place}", path


def _iter_paths(section: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """The keys of a section of a file, including those of its subsections."""
    for name, value in section.items():
        if isinstance(value, Mapping) and value and name not in _OF_DLT | _MAPPINGS:
            yield from ((name, *path) for path in _iter_paths(value))
        else:
            yield (name,)


def _iter_unknown_variables() -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in sorted(os.environ):
        if name.startswith(_PREFIX):
            path = tuple(name.removeprefix(_PREFIX).lower().split("__"))
            # A scope must be complete and in one place, so it is not read from variables.
            if not _is_known(path) or path[0] == "scopes":
                yield f"in the environment ({printable(name)})", path


def _is_mistaken(name: str) -> bool:
    """Whether a variable looks like ours but has a name that is not read."""
    if name.startswith(_PREFIX):
        return False
    spelt = name.strip().upper()
    if spelt.startswith((_PREFIX, *_MISTAKEN_PREFIXES)):
        return True
    top, *names = spelt.lower().split("__")
    if top == "sources" and names[1:] and _is_misspelt(names[0]):
        return names[-1] in _find_siblings(tuple(names[1:]))
    # SOURCES__HARVEST_EXCLUDE. Other sources may be called harvest_..., so the key must be ours.
    path = tuple(spelt.removeprefix(_PREFIX[:-1]).lower().split("__"))
    return spelt.startswith(_PREFIX[:-1]) and path[-1] in _find_siblings(path)


def _is_known(path: tuple[str, ...]) -> bool:
    return path[0] in _OF_DLT or path[-1] in _find_siblings(path)


def _find_siblings(path: tuple[str, ...]) -> frozenset[str]:
    """The known keys in the section of *path*; empty if there is no such section."""
    match path[:-1]:
        case ():
            return _KEYS
        case ("credentials",) | ("profiles", _, "credentials"):
            return _CREDENTIALS
        case ("profiles", _):
            return _PROFILE_KEYS
        case ("scopes", _):
            return SCOPE_KEYS
    return frozenset()


def _explain_unknown(where: str, path: tuple[str, ...]) -> str:
    key = ".".join(path)
    return (
        f"{printable(key, limit=100)} {where} is not a key of [sources.harvest], so it would have "
        f"no effect.{_suggest(path)} All keys: docs/configuration.md"
    )


def _suggest(path: tuple[str, ...]) -> str:
    siblings = _find_siblings(path)
    if not siblings:  # The section itself is unknown.
        return _name_nearest(path[0], _KEYS | {"profiles"})
    if path[-1] in _CREDENTIALS:
        return f" It belongs in [sources.harvest.credentials]: credentials.{path[-1]}."
    return _name_nearest(path[-1], siblings)


def _name_nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f" Did you mean {near[0]}?" if near else ""
