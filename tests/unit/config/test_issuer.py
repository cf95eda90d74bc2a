"""The token issuer: its keys in a file and in the environment, and invalid settings."""

from __future__ import annotations

from typing import Any

import pytest

from harvest_source.config.issuer import ClaimRule, parse_issuer
from harvest_source.config.known_keys import _iter_paths as iter_paths
from harvest_source.config.spec import HarvestConfiguration
from harvest_source.errors import ConfigError

URL = "https://login.example.com/realms/company/"


def configure(**keys: Any) -> HarvestConfiguration:
    """Settings as dlt resolves them."""
    config = HarvestConfiguration()
    for name, value in keys.items():
        setattr(config, name, value)
    return config


@pytest.mark.parametrize("scopes", [{"g-1": "all"}, '{"g-1": "all"}'])
def test_an_issuer_is_a_section_or_json(scopes: Any) -> None:
    """JSON is for the environment, which has no sections. The address is kept to the letter."""
    found = parse_issuer(
        configure(issuer_url=f" {URL}", issuer_scope_claim="groups", issuer_scopes=scopes)
    )
    assert found is not None
    assert found.url == URL
    assert found.scope == ClaimRule("groups", {"g-1": "all"})
    assert found.profile == ClaimRule("sub", never="default")
    assert parse_issuer(configure()) is None


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"issuer_url": "http://login.example.com"}, "https://"),
        ({"issuer_url": "https://ada:secret@login.example.com"}, "no user"),
        ({"issuer_url": "https://login.example.com?a=b"}, "query"),
        ({"issuer_url": "https://login.example.com#a"}, "fragment"),
        ({"issuer_url": "file:///etc/passwd"}, "https://"),
        ({"issuer_url": URL, "issuer_scopes": "all"}, "JSON"),
        ({"issuer_url": URL, "issuer_scopes": {"g-1": ["all"]}}, "issuer_scopes"),
        ({"issuer_url": URL, "issuer_scopes": {"g-1": ""}}, "issuer_scopes"),
        ({"issuer_url": URL, "issuer_profiles": {"7f": "../ada"}}, "cannot be"),
        ({"issuer_profiles": {"7f": "ada"}}, "issuer_url"),
    ],
)
def test_settings_that_cannot_work_are_refused(keys: dict[str, Any], words: str) -> None:
    """The error says what to write instead, and never repeats a password."""
    with pytest.raises(ConfigError, match=words) as caught:
        parse_issuer(configure(**keys))
    assert "secret" not in str(caught.value)


def test_names_inside_claim_sections_are_not_settings() -> None:
    """A section whose names are the user's own is one key; other sections are walked."""
    section = {"issuer_scopes": {"g-1": "all"}, "issuer_profiles": {"a": "b"}, "x": {"y": 1}}
    assert list(iter_paths(section)) == [("issuer_scopes",), ("issuer_profiles",), ("x", "y")]


def test_only_the_scope_claim_is_split_into_words() -> None:
    """Only the scope claim is split into words: a group's name may contain a blank."""
    assert ClaimRule("scope").read({"scope": "openid all"}) == {"openid", "all"}
    assert ClaimRule("groups").read({"groups": "openid all"}) == {"openid all"}
    assert ClaimRule("sub", never="default").read({"sub": "default"}) == frozenset()
    assert ClaimRule("sub", {"7f": "default"}, "default").read({"sub": "7f"}) == {"default"}
