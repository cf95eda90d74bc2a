"""Which proxy is used, and which error an unusable one causes."""

from __future__ import annotations

import socket

import httpx
import pytest

from harvest_source.api.http_context import HttpContext
from harvest_source.api.proxy import choose_proxy, is_direct
from harvest_source.api.requester import Requester
from harvest_source.errors import ConfigError, ServerError
from tests.clocks import FakeClock
from tests.support.trickle import Trickler, receive_head, serve

API = httpx.URL("https://api.harvestapp.com/v2")
PROXY = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("no_proxy", "host", "direct"),
    [
        ("", "api.harvestapp.com", False),
        ("*", "api.harvestapp.com", True),
        ("localhost, *", "api.harvestapp.com", True),
        ("api.harvestapp.com", "api.harvestapp.com", True),
        ("API.HarvestApp.com", "api.harvestapp.com", True),
        ("harvestapp.com", "api.harvestapp.com", True),
        (".harvestapp.com", "api.harvestapp.com", True),
        ("*.harvestapp.com", "api.harvestapp.com", True),
        ("app.com", "api.harvestapp.com", False),
        ("api.harvestapp.com.evil.example", "api.harvestapp.com", False),
        ("api.harvestapp.com:443", "api.harvestapp.com", True),
        ("api.harvestapp.com:80", "api.harvestapp.com", False),
        ("https://api.harvestapp.com", "api.harvestapp.com", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.1.2.3", "10.1.2.3", True),
        ("[fe80::]/10", "[fe80::1]", True),
        ("fe80::/10", "[fe80::1]", True),
        ("[fd00::1]:443", "[fd00::1]", True),
        ("[fd00::1]:80", "[fd00::1]", False),
    ],
)
def test_no_proxy_names_hosts_and_networks(no_proxy: str, host: str, direct: bool) -> None:
    """As in curl, a name covers its subdomains, and an address or network its own kind."""
    assert is_direct(httpx.URL(f"https://{host}/v2"), no_proxy) is direct


@pytest.mark.parametrize(
    "entry",
    ["[::1]", "fe80::/10", "[::1", "::1]", "300.1.1.1/99", "://", ":", "[]", "é", "a b", "%"],
)
def test_meaningless_entries_in_no_proxy_are_ignored(entry: str) -> None:
    """A meaningless entry is ignored, and the others count."""
    assert not is_direct(API, entry)
    assert is_direct(API, f"{entry},harvestapp.com")


@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_variable_is_not_set(blank: str) -> None:
    """HTTPS_PROXY=" " does not hide ALL_PROXY, and both blank mean a direct connection."""
    found = choose_proxy(API, {"https": blank, "all": PROXY})
    assert found is not None
    assert found.url == PROXY
    assert choose_proxy(API, {"https": blank, "all": blank}) is None


def test_the_scheme_chooses_the_proxy() -> None:
    """``HTTPS_PROXY`` precedes ``ALL_PROXY``; another scheme's proxy is not used."""
    chosen = choose_proxy(API, {"https": PROXY, "all": "http://all.example"})
    assert chosen is not None
    assert str(chosen.url) == PROXY
    chosen = choose_proxy(API, {"http": PROXY, "all": "all.example:8080"})
    assert chosen is not None
    assert str(chosen.url) == "http://all.example:8080"
    assert choose_proxy(API, {"http": PROXY}) is None
    assert choose_proxy(API, {"https": PROXY, "no": "harvestapp.com"}) is None
    assert choose_proxy(API, {"https": "  "}) is None


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
def test_this_machine_is_asked_directly(host: str) -> None:
    """This machine is reached directly, even if the environment's proxy is unusable."""
    assert choose_proxy(httpx.URL(f"http://{host}:8080/v2"), {"http": "http://[::1"}) is None


@pytest.mark.parametrize(
    "value", ["http://[::1", "gopher://user:hunter2@proxy.example", "http://", "http://a b", "::"]
)
@pytest.mark.parametrize("scheme", ["https", "all"])
def test_an_unusable_proxy_is_reported_by_its_variable(scheme: str, value: str) -> None:
    """An unusable proxy is reported by its variable, without the value."""
    with pytest.raises(
        ConfigError, match=rf"{scheme.upper()}_PROXY .*http://proxy.example"
    ) as caught:
        choose_proxy(API, {scheme: value})
    assert "hunter2" not in str(caught.value)


def test_a_socks_proxy_needs_a_package() -> None:
    """A SOCKS proxy needs a package that we do not depend on."""
    with pytest.raises(ConfigError, match=r"ALL_PROXY names a SOCKS proxy.*socksio"):
        choose_proxy(API, {"all": "socks5://proxy.example:1080"})


def ask(monkeypatch: pytest.MonkeyPatch, proxy: str) -> str:
    """The error of a failing request to Harvest through *proxy*."""
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    http = HttpContext(clock=FakeClock())
    with Requester(str(API), http, auth=httpx.Auth()) as requester, pytest.raises(ServerError) as e:
        requester.fetch("users/me", parse=lambda answer: answer.body)
    return str(e.value)


def test_a_dead_proxy_is_named_as_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the proxy is dead, the error says to check it, and does not show its password."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    said = ask(monkeypatch, f"http://me:hunter2@127.0.0.1:{port}")
    assert f"could not connect to the proxy (127.0.0.1:{port}: " in said
    assert "Check HTTPS_PROXY" in said
    assert "NO_PROXY" in said
    assert "hunter2" not in said


def test_a_proxy_that_refuses_is_named_with_its_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a proxy requires a password, the error does not blame Harvest."""

    def refuse(connection: socket.socket, server: Trickler) -> None:
        receive_head(connection)
        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

    with serve(refuse) as proxy:
        said = ask(monkeypatch, f"http://127.0.0.1:{proxy.port}")
    assert "refused by the proxy (407 Proxy Authentication Required)" in said
    assert "Check HTTPS_PROXY" in said


def test_a_host_without_an_address_is_not_blamed_on_harvest() -> None:
    """Without DNS, or for a misspelt host, the message names the host and what to check."""
    http = HttpContext(clock=FakeClock())
    with (
        Requester("https://api.harvestapp.invalid/v2", http, auth=httpx.Auth()) as requester,
        pytest.raises(ServerError) as caught,
    ):
        requester.fetch("users/me", parse=lambda answer: answer.body)
    assert "3 tries" in str(caught.value)
    assert "could not look up api.harvestapp.invalid" in str(caught.value)
    assert "DNS" in str(caught.value)
    assert "api_url" in str(caught.value)
