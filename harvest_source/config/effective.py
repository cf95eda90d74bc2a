"""The settings in effect and the source of each, without secrets."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.config.resolve import CREDENTIALS, PROFILES, SECTIONS
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.defaults import PROFILE
from harvest_source.dlt_internals import FoundSetting, find_source_setting, is_secret_hint
from harvest_source.errors import printable

OPTION: Final = "option"
DEFAULT: Final = "default"

_HIDDEN: Final = "set, not shown"
_WORDS_HIDDEN: Final = frozenset({"token_command"})
"""Settings of which only the first word is shown: the others may contain a secret."""

_USER: Final = re.compile(r"(?<=://)[^/\s@]*@")


@dataclass(frozen=True, slots=True)
class Setting:
    """
    One setting in effect.

    Attributes:
        value: The value as text; empty if it is not set. Never a secret.
        source: ``option``, ``default``, the key with the file's absolute path, or the variable.
    """

    name: str
    value: str
    source: str

    def as_dict(self) -> dict[str, str]:
        """One entry of ``settings`` in ``--json``."""
        return {"name": self.name, "value": self.value, "source": self.source}


def list_settings(config: HarvestConfiguration, given: Collection[str]) -> tuple[Setting, ...]:
    """
    Every key of ``[sources.harvest]``, but only those credentials that are set.

    Args:
        given: Keys set by the caller, that is, by command line options.
    """
    return (*_iter_credentials(config, given), *_iter_keys(config, given))


def _iter_credentials(config: HarvestConfiguration, given: Collection[str]) -> Iterator[Setting]:
    for name, hint in HarvestCredentials.get_resolvable_fields().items():
        value = getattr(config.credentials, name)
        if value is not None:
            shown = _HIDDEN if is_secret_hint(hint) else _format(value)
            is_given = CREDENTIALS in given
            source = OPTION if is_given else _find_credential(name, config.auth_profile)
            yield Setting(f"{CREDENTIALS}.{name}", shown, source)


def _find_credential(name: str, profile: str) -> str:
    own = SECTIONS if profile == PROFILE else (*SECTIONS, PROFILES, profile)
    for sections in (own, SECTIONS):  # A profile without its own app uses the general one.
        found = find_source_setting(name, sections, CREDENTIALS)
        if found is not None:
            return found.place
    return DEFAULT


def _iter_keys(config: HarvestConfiguration, given: Collection[str]) -> Iterator[Setting]:
    for name, hint in HarvestConfiguration.get_resolvable_fields().items():
        if name == CREDENTIALS:
            continue
        value = getattr(config, name)
        found = None if name in given else _find(config, name)
        source = OPTION if name in given else DEFAULT if found is None else found.place
        text = _HIDDEN if is_secret_hint(hint) and value is not None else _format(value)
        if name in _WORDS_HIDDEN and text:
            text = f"{text.split()[0]} ..."
        yield Setting(name, text, source)


def find_place(config: HarvestConfiguration, name: str) -> str:
    """Where the value of a key comes from; empty if a caller gave it, or nothing set it."""
    found = _find(config, name)
    is_used = found is not None and str(found.value).strip() == str(getattr(config, name)).strip()
    return found.place if found is not None and is_used else ""


def _find(config: HarvestConfiguration, name: str) -> FoundSetting | None:
    is_of_profile = name == "account_id" and config.auth_profile != PROFILE
    return find_source_setting(
        name, (*SECTIONS, PROFILES, config.auth_profile) if is_of_profile else SECTIONS
    )


def _format(value: Any) -> str:
    if value is None:
        return ""
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return printable(_USER.sub("***@", text), limit=120)
