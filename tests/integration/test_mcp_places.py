"""The server's address: TLS of its own or behind a proxy, with honest and hostile clients."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import Client

from tests.support.certificates import Authority
from tests.support.limited import EXAMPLE
from tests.support.reverse_proxy import ADDRESS, build_proxy, run_proxy
from tests.support.served import Served, find_port, is_listening, prepare

SCOPES = """
[sources.harvest.scopes.all]
sql = true
"""
EVIL = {
    "x-forwarded-for": ADDRESS,
    "x-forwarded-host": "evil.example",
    "x-forwarded-proto": "http",
    "x-real-ip": ADDRESS,
    "forwarded": f"for={ADDRESS};host=evil.example;proto=http",
    "x-original-url": "/.well-known/oauth-protected-resource/mcp",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The certificate authority that honest clients trust."""
    return Authority(tmp_path_factory.mktemp("authority"))


async def count_tools(client: Client) -> int:
    return len((await client.list_tools()).tools)


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Served]:
    """A server with its own certificate."""
    port = find_port()
    served = replace(
        prepare_for_ada(tmp_path_factory.mktemp("encrypted"), f"https://127.0.0.1:{port}/mcp"),
        listens=f"127.0.0.1:{port}",
        options=authority.issue().options(),
        tls=authority.trust(),
    )
    with served.running():
        yield served


def prepare_for_ada(folder: Path, url: str) -> Served:
    """A server on the small warehouse with one caller, at its own address."""
    EXAMPLE.write(folder / "harvest_data.duckdb")
    served = replace(prepare(folder, SCOPES), url=url)
    served.add("ada", "all")
    return served


@pytest.mark.rare
@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_a_client_that_trusts_the_authority_is_served(encrypted: Served, era: str) -> None:
    """The protocol's own client is served in both eras over a verified connection."""
    assert encrypted.ask("ada", era, count_tools) == 8


@pytest.mark.rare
def test_unencrypted_and_untrusted_connections_are_refused(
    encrypted: Served, authority: Authority, tmp_path: Path
) -> None:
    """Plain HTTP, clients that trust other authorities, other hosts and origins are refused."""
    with pytest.raises(httpx.TransportError):
        httpx.get(encrypted.url.replace("https", "http"), trust_env=False)
    old = authority.trust()
    old.minimum_version = ssl.TLSVersion.TLSv1_2
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert _post(encrypted, old).status_code == 200
    for context in (ssl.create_default_context(), Authority(tmp_path).trust()):
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            _post(encrypted, context)
    assert encrypted.post("ada", host="evil.example").status_code == 421
    assert encrypted.post("ada", origin=encrypted.origin.replace("s:", ":")).status_code == 403
    assert encrypted.post("ada", origin=encrypted.origin, **EVIL).status_code == 200
    assert encrypted.stderr.read_text() == ""


def _post(served: Served, tls: ssl.SSLContext) -> httpx.Response:
    return replace(served, tls=tls).post("ada")


@pytest.fixture(scope="module")
def behind(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[Served, str]]:
    """A server that accepts only a proxy's connections, and its own address."""
    inner, outer = find_port(), find_port()
    served = replace(
        prepare_for_ada(tmp_path_factory.mktemp("behind"), f"https://127.0.0.1:{outer}/mcp"),
        listens=f"127.0.0.1:{inner}",
        options=("--proxy", ADDRESS),
        tls=authority.trust(),
    )
    with run_proxy(build_proxy(inner), outer, authority.issue("proxy")), served.running():
        yield served, f"http://127.0.0.1:{inner}/mcp"


@pytest.mark.rare
@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_callers_are_served_through_the_proxy(behind: tuple[Served, str], era: str) -> None:
    """Streams pass through the proxy, and its headers change nothing."""
    served, _ = behind
    assert served.ask("ada", era, count_tools) == 8
    assert served.post("ada", **EVIL).status_code == 200


def test_the_proxy_does_not_bypass_host_and_token_checks(behind: tuple[Served, str]) -> None:
    """The server checks the caller's own headers, and serves nothing without a token."""
    served, _ = behind
    assert served.stdout.read_text() == f"{served.url} (listening on {served.listens})\n"
    assert served.post("ada", host="evil.example").status_code == 421
    assert served.post("ada", host="evil.example", **EVIL).status_code == 421
    assert served.post("ada", origin="https://evil.example").status_code == 403
    assert served.post("ada", origin="null").status_code == 403
    assert served.post(**EVIL).status_code == 401


def test_direct_calls_that_bypass_the_proxy_fail(behind: tuple[Served, str]) -> None:
    """A direct call fails even with a token, the right host and forged proxy headers."""
    served, inner = behind
    host = served.origin.removeprefix("https://")
    direct = replace(served, url=inner)
    for headers in ({"host": host}, {"host": host, **EVIL}, {}):
        assert direct.post("ada", **headers).status_code == 403
        assert direct.post("", **headers).status_code == 403


def test_a_proxy_that_passes_another_host_is_refused(
    behind: tuple[Served, str], authority: Authority
) -> None:
    """nginx sends another host unless it is configured to pass on the caller's."""
    served, inner = behind
    port, outer = int(inner.split(":")[2].partition("/")[0]), find_port()
    app = build_proxy(port, passes_host=False)
    with run_proxy(app, outer, authority.issue("other")):
        other = replace(served, url=f"https://127.0.0.1:{outer}/mcp")
        assert other.post("ada").status_code == 421


@pytest.mark.rare
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--http=0.0.0.0:{port}"], "--tls-cert"),
        (["--http=0.0.0.0:{port}", "--proxy=proxy.example.com"], "--proxy"),
        (["--http=127.0.0.1:{taken}"], "Choose another address with --http"),
    ],
)
def test_impossible_server_options_are_refused_in_one_line(
    encrypted: Served, tmp_path: Path, options: list[str], words: str
) -> None:
    """The server exits with 2 without a traceback, and opens no port."""
    port, taken = find_port(), encrypted.origin.rpartition(":")[2]
    given: list[Any] = [each.format(port=port, taken=taken) for each in options]
    log = ("--audit-log", str(tmp_path / "audit.log"))
    done = encrypted.command("mcp", *given, *log)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not is_listening(port)
