"""Where the server may listen, which tokens are valid, and how many calls each has."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harvest_source.ask.mcp.http import _Allowance as Allowance
from harvest_source.ask.mcp.server_address import ServerAddress
from harvest_source.auth.server_tokens import ServerTokens
from harvest_source.errors import ConfigError
from tests.clocks import FakeClock
from tests.support.certificates import Authority
from tests.support.no_room import limit_file_size

HTTPS = "https://harvest.example.com/mcp"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ServerAddress("0.0.0.0", 1, HTTPS), "--tls-cert"),  # noqa: S104
        (lambda: ServerAddress("192.0.2.1", 1, HTTPS), "--proxy"),
        (lambda: ServerAddress("harvest.example.com", 1, HTTPS), "--proxy"),
        (lambda: ServerAddress("192.0.2.1", 1, "http://x/mcp", proxy="192.0.2.2"), "https://"),
        (lambda: ServerAddress("127.0.0.1", 1, "http://127.0.0.1:1/other"), "--url"),
        (lambda: ServerAddress("127.0.0.1", 1, HTTPS, certificate="c.pem"), "belong together"),
        (lambda: ServerAddress("127.0.0.1", 1, HTTPS, proxy="proxy.example.com"), "--proxy"),
        (lambda: ServerAddress("127.0.0.1", 1, "https://x:y/mcp"), "--url"),
        (lambda: ServerAddress("127.0.0.1", 1, "ftp://x/mcp"), "--url"),
    ],
)
def test_nothing_is_served_in_the_clear_to_other_machines(
    make: Callable[[], ServerAddress], words: str
) -> None:
    """Other machines are served only with a certificate, or behind a named proxy."""
    with pytest.raises(ConfigError, match=words):
        make()


def test_allowed_hosts_and_origins_follow_the_address() -> None:
    """Allowed hosts and origins are set, whatever the library's default is."""
    security = ServerAddress("192.0.2.1", 1, HTTPS, proxy="192.0.2.2").build_security()
    assert security.enable_dns_rebinding_protection
    name = "harvest.example.com"
    assert security.allowed_hosts == [f"{name}:443", name]
    assert security.allowed_origins == [f"https://{name}:443", f"https://{name}"]
    local = ServerAddress("127.0.0.1", 8765, "http://LocalHost:8765/mcp").build_security()
    assert local.allowed_hosts == ["localhost:8765"]


def test_a_proxy_matches_in_ipv4_and_ipv6_notation() -> None:
    """The system may report an IPv4 address in IPv6 form."""
    address = ServerAddress("127.0.0.1", 1, HTTPS, proxy="192.0.2.2")
    assert address.may_connect("192.0.2.2")
    assert address.may_connect("::ffff:192.0.2.2")
    assert not any(map(address.may_connect, ("192.0.2.3", "", "proxy", "127.0.0.1")))
    assert ServerAddress("::1", 1, HTTPS, proxy="0:0:0:0:0:0:0:1").may_connect("::1")


def test_an_address_in_use_is_a_short_error() -> None:
    """So is another machine's address, or a name that does not resolve."""
    (taken,) = ServerAddress("127.0.0.1", 0, "http://127.0.0.1/mcp").listen()
    with closing(taken):
        port = taken.getsockname()[1]
        for host in ("127.0.0.1", "192.0.2.1", "nowhere.invalid"):
            with pytest.raises(ConfigError, match="Cannot listen on"):
                ServerAddress(host, port, HTTPS, proxy="192.0.2.1").listen()


def test_a_certificate_that_cannot_be_used_is_a_short_error(tmp_path: Path) -> None:
    """A good pair works; a missing file, another's key, a locked key or no certificate does not."""
    authority = Authority(tmp_path)
    good, other = authority.issue(), authority.issue("other")
    locked, nothing = authority.issue("locked", b"password"), tmp_path / "nothing.pem"
    for certificate, key, is_right in (
        (good.certificate, good.key, True),
        (nothing, good.key, False),
        (good.certificate, nothing, False),
        (good.certificate, tmp_path, False),
        (good.certificate, other.key, False),
        (locked.certificate, locked.key, False),
        (good.key, good.certificate, False),
    ):
        address = ServerAddress("192.0.2.1", 1, HTTPS, certificate=str(certificate), key=str(key))
        with nullcontext() if is_right else pytest.raises(ConfigError, match="PEM"):
            address.check_certificate()


def test_a_token_counts_until_it_ends(tmp_path: Path) -> None:
    """Only the whole token is valid, until it ends or is revoked."""
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    tokens = ServerTokens(tmp_path / "vault", lambda: now[0])
    text = tokens.add("ada", scope="hours", profile="ada", url=HTTPS, days=2)
    found = tokens.find(text)
    assert found is not None
    assert (found.name, found.scope, found.url) == ("ada", "hours", HTTPS)
    assert tokens.find(text[:-1]) is None
    assert tokens.find("") is None
    assert text not in (tmp_path / "vault" / "server_tokens.json").read_text()
    with pytest.raises(ConfigError, match="revoke"):
        tokens.add("ada", scope="hours", profile="ada", url=HTTPS, days=None)
    now[0] += timedelta(days=2)
    assert tokens.find(text) is None
    assert tokens.get(found.id) is None
    assert tokens.revoke(profile="ada") == ["ada"]
    tokens.add("ada", scope="hours", profile="ada", url=HTTPS, days=None)
    assert tokens.read()[0].id != found.id


def test_tokens_that_others_can_read_are_refused(tmp_path: Path) -> None:
    """The token file must be as private as the vault."""
    tokens = ServerTokens(tmp_path / "vault", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    tokens.add("ada", scope="hours", profile="ada", url=HTTPS, days=None)
    (tmp_path / "vault" / "server_tokens.json").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        tokens.read()


def test_each_token_has_an_allowance_of_its_own() -> None:
    """Each token has a minute's calls, and then a number of seconds to wait."""
    clock = FakeClock()
    allowance = Allowance(clock, 2)
    assert [allowance.take("a") for _ in range(3)] == [0.0, 0.0, 60.0]
    assert allowance.take("b") == 0.0
    clock.sleep(60)
    assert allowance.take("a") == 0.0


def test_callers_who_are_gone_are_forgotten() -> None:
    """A server that runs for months keeps no line for each caller it ever had; limits stay."""
    clock = FakeClock()
    allowance = Allowance(clock, 1)
    for number in range(600):
        assert allowance.take(f"caller {number}") == 0.0
        assert allowance.take(f"caller {number}") > 0
        clock.sleep(1)
    assert len(allowance._used) <= 120
    assert allowance.take("caller 599") == 59.0


def test_tokens_that_cannot_be_read_or_written_are_a_short_error(tmp_path: Path) -> None:
    """So is a folder in place of the file, a file in place of the folder, or a full disk."""
    (tmp_path / "file").touch(0o600)
    (tmp_path / "vault").mkdir(0o700)
    (tmp_path / "vault" / "server_tokens.json").mkdir(0o700)
    given = {"scope": "hours", "profile": "ada", "url": HTTPS, "days": None}
    for folder, words in (("file", "cannot be written"), ("vault", "cannot be read")):
        tokens = ServerTokens(tmp_path / folder, lambda: datetime(2026, 1, 1, tzinfo=UTC))
        with pytest.raises(ConfigError, match=words):
            tokens.add("ada", **given)  # type: ignore[arg-type]
    tokens = ServerTokens(tmp_path / "other", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    tokens.add("ada", **given)  # type: ignore[arg-type]
    with limit_file_size(100), pytest.raises(ConfigError, match="its content is unchanged"):
        tokens.add("bo", **given)  # type: ignore[arg-type]
    assert ServerTokens(tmp_path / "file", lambda: datetime(2026, 1, 1, tzinfo=UTC)).read() == []
