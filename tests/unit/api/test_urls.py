"""Which hosts the token may be sent to."""

from __future__ import annotations

import pytest

from harvest_source.api.urls import check_link, check_url
from harvest_source.errors import ConfigError, UnsafeLinkError

API = "https://api.harvestapp.com/v2"


@pytest.mark.parametrize(
    ("url", "api_url"),
    [
        ("https://api.harvestapp.com/v2/time_entries?page=2&ref=next", API),
        ("https://api.harvestapp.com/api/v2/time_entries?cursor=eyJh%3D%3D", API),
        ("https://api.harvestapp.com:443/v2/time_entries?page=2", API),
        ("HTTPS://API.HarvestApp.com/v2/time_entries?page=2", API),
        ("http://127.0.0.1:8123/v2/users?page=2", "http://127.0.0.1:8123/v2"),
        ("http://127.0.0.1:8123/api/v2/users?page=2", "http://127.0.0.1:8123/v2"),
        ("http://127.0.0.1:8123/users?page=2", "http://127.0.0.1:8123"),
        ("https://proxy.example/harvest/api/v2/users", "https://proxy.example/harvest/v2"),
        ("https://api.harvestapp.com/v2/users", "https://api.harvestapp.com/api/v2"),
    ],
)
def test_links_to_the_same_origin_are_followed(url: str, api_url: str) -> None:
    """A link may have our scheme, host and port, below either of Harvest's prefixes."""
    check_link(url, api_url=api_url, seen=frozenset())


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v2/time_entries?page=2",
        "http://api.harvestapp.com/v2/time_entries?page=2",
        "https://api.harvestapp.com:8443/v2/time_entries?page=2",
        "https://api.harvestapp.com.evil.example/v2/time_entries",
        "https://api.harvestapp.com./v2/time_entries",
        "https://user:pw@api.harvestapp.com/v2/time_entries",
        "https://@api.harvestapp.com/v2/time_entries",
        "https://api.harvestapp.com@evil.example/v2/time_entries",
        "https://api.harvestapp.com\\@evil.example/v2/time_entries",
        "https://api.harvestapp.com/v2/\\evil.example/time_entries",
        "https://api.harvestapp.com/v2\n/time_entries",
        "https://api.harvestapp.com/v2/time entries",
        "https://api.harvestapp.cöm/v2/time_entries",
        "https://xn--/v2/time_entries",
        "https://api.harvestapp.com:99999999/v2/x",
        "//api.harvestapp.com/v2/time_entries",
        "/v2/time_entries?page=2",
        "v2/time_entries?page=2",
        "file:///etc/passwd",
        "https://api.harvestapp.com/v1/time_entries",
        "https://api.harvestapp.com/v2evil/time_entries",
        "https://api.harvestapp.com/v2/../oauth",
        "https://api.harvestapp.com/v2/%2e%2e/oauth",
        "https://api.harvestapp.com/v2/%252e%252e/oauth",
        "https://api.harvestapp.com/",
        "",
    ],
)
def test_links_that_could_leave_the_origin_are_refused(url: str) -> None:
    """A link that could carry the token off, or that two parsers read differently, is refused."""
    with pytest.raises(UnsafeLinkError):
        check_link(url, api_url=API, seen=frozenset())


def test_a_link_is_followed_once() -> None:
    """A list that links back to a page already read would never end."""
    url = f"{API}/users?page=2"
    with pytest.raises(UnsafeLinkError, match="Page 2 of users links to a page that was already"):
        check_link(url, api_url=API, seen={url}, where="Page 2 of users")


def test_a_refused_link_is_reported_by_host_only() -> None:
    """A link's query may contain a cursor or a secret, so it is not repeated."""
    with pytest.raises(UnsafeLinkError) as caught:
        check_link("https://evil.example/v2/x?access_token=abc", api_url=API, seen=frozenset())
    assert "https://evil.example, which is not https://api.harvestapp.com." in str(caught.value)
    assert "abc" not in str(caught.value)
    assert "access token" in str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://api.harvestapp.com/v2/", "https://api.harvestapp.com/v2"),
        (" https://api.harvestapp.com/v2 ", "https://api.harvestapp.com/v2"),
        ("http://127.0.0.1:8123/v2", "http://127.0.0.1:8123/v2"),
        ("http://127.9.9.9/v2", "http://127.9.9.9/v2"),
        ("http://localhost:8123", "http://localhost:8123"),
        ("http://[::1]:8123/v2", "http://[::1]:8123/v2"),
    ],
)
def test_good_settings_are_taken_without_trailing_slash(url: str, expected: str) -> None:
    """https is accepted anywhere, http only on this machine."""
    assert check_url(url, "api_url") == expected


@pytest.mark.parametrize(
    "url",
    [
        "http://api.harvestapp.com/v2",
        "http://127.0.0.1.evil.example/v2",
        "http://localhost.evil.example/v2",
        "http://0.0.0.0/v2",
        "http://10.0.0.1/v2",
        "https://user:hunter2@api.harvestapp.com/v2",
        "https://hunter2@api.harvestapp.com/v2",
        "https://api.harvestapp.com/v2?access_token=hunter2",
        "https://api.harvestapp.com/v2#hunter2",
        "https://api.harvestapp.com/v2?",
        "https://api.harvestapp.com/%2e%2e/v2",
        "ftp://api.harvestapp.com/v2",
        "api.harvestapp.com/v2",
        "https://",
        "https://ex ample/v2",
        "",
    ],
)
def test_bad_settings_are_refused_by_name(url: str) -> None:
    """The error names the setting, and does not repeat a password in it."""
    with pytest.raises(ConfigError, match="api_url") as caught:
        check_url(url, "api_url")
    assert "hunter2" not in str(caught.value)
