"""Tokens of a company's issuer: which are valid, whose they are, when its keys are fetched."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio
import jwt
import pytest
from mcp.server.auth.provider import AccessToken

from harvest_source.ask.mcp.issuer import IssuerTokens
from harvest_source.ask.mcp.issuer_keys import (
    KEEP_S,
    REFRESH_S,
    RETRY_S,
    IssuerKeys,
    IssuerUnreachable,
    fetch_keys,
)
from harvest_source.ask.scopes import Scope
from harvest_source.ask.trouble import Trouble
from harvest_source.config.issuer import ClaimRule, IssuerSettings
from harvest_source.errors import ConfigError
from tests.clocks import FakeClock
from tests.support.issuer import (
    Issuer,
    encode,
    make_key,
    publish,
    sign_with_public_key,
    write_unsigned,
)

URL = "https://harvest.example.com/mcp"
SCOPES = {name: Scope(name) for name in ("hours", "all")}

ISSUER = Issuer(keys={"one": make_key(), "rsa": make_key("RS256")})
STRANGER = Issuer(keys={"one": make_key(), "rsa": make_key("RS256"), "other": make_key()})
"""Claims to be the issuer, but has other keys."""


class Desk:
    """A server's view of an issuer, with a clock that a test moves."""

    def __init__(self, issuer: Issuer = ISSUER, **rules: ClaimRule) -> None:
        self.issuer = issuer
        self.clock = FakeClock()
        self.told: list[str] = []
        self.refused: list[tuple[str, str]] = []
        self.fetched = 0
        given = {"scope": ClaimRule("scope"), "profile": ClaimRule("sub", never="default"), **rules}
        self.settings = IssuerSettings(issuer.url, **given)
        self.keys = IssuerKeys(self.fetch, self.clock, Trouble(self.told.append))
        self.tokens = IssuerTokens(
            self.settings, self.keys, SCOPES, URL, lambda *each: self.refused.append(each)
        )

    def get(self, url: str) -> Any:
        if self.issuer.is_away:
            raise IssuerUnreachable("it did not answer")
        return self.issuer.list_keys() if url.endswith("/keys") else self.issuer.describe()

    def fetch(self) -> Any:
        self.fetched += 1
        return fetch_keys(self.issuer.url, self.get)

    def verify(self, token: str) -> AccessToken | None:
        return anyio.run(self.tokens.verify_token, token)


@pytest.fixture
def desk() -> Desk:
    return Desk()


@pytest.mark.parametrize("key_id", ["one", "rsa"])
def test_a_valid_issuer_token_identifies_its_caller(desk: Desk, key_id: str) -> None:
    """The token's claims give the caller's scope and profile, and the time it ends."""
    claims = ISSUER.claim(URL)
    found = desk.verify(ISSUER.sign(claims, key_id, typ="at+jwt"))
    assert found is not None
    assert (found.token, found.resource, found.expires_at) == ("", URL, claims["exp"])
    caller = desk.tokens.find_caller(found)
    assert (caller.name, caller.scope.name, caller.profile) == ("issuer:ada", "hours", "ada")
    assert desk.verify(ISSUER.sign(ISSUER.claim([URL, "https://other.example"]), key_id))


def attack(**claims: Any) -> Callable[[], str]:
    """A token of the issuer with other claims."""
    return lambda: ISSUER.sign(ISSUER.claim(claims.pop("aud", URL), **claims))


def with_header(**header: Any) -> Callable[[], str]:
    return lambda: ISSUER.sign(ISSUER.claim(URL), **header)


NOW = int(time.time())
GOOD = ISSUER.sign(ISSUER.claim(URL, exp=NOW + 86_400))
"""Valid while the tests run: it is made before all of them."""
ATTACKS: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "no token": lambda: "eyJ.eyJ.e",
    "a list": lambda: f"{encode([])}.{encode([])}.{encode(b'')}",
    "deep": lambda: f"{encode(b'[' * 10_000)}.e.e",
    "unsigned": lambda: write_unsigned(ISSUER.claim(URL), "one"),
    "signature gone": lambda: GOOD.rpartition(".")[0] + ".",
    "signature of another": lambda: (
        GOOD.rpartition(".")[0] + "." + attack(sub="bo")().split(".")[2]
    ),
    "other claims": lambda: (
        f"{GOOD.split('.')[0]}.{encode(ISSUER.claim(URL, scope='all'))}." + GOOD.split(".")[2]
    ),
    "public key as secret": lambda: sign_with_public_key(
        ISSUER.claim(URL), ISSUER.keys["rsa"], "rsa"
    ),
    "curve's public key as secret": lambda: sign_with_public_key(
        ISSUER.claim(URL), ISSUER.keys["one"], "one"
    ),
    "another's key": lambda: STRANGER.sign(ISSUER.claim(URL)),
    "another's key of the same id": lambda: STRANGER.sign(ISSUER.claim(URL), "rsa"),
    "unknown key": lambda: STRANGER.sign(ISSUER.claim(URL), "other"),
    "own key in the header": lambda: STRANGER.sign(
        ISSUER.claim(URL), "other", jwk=publish(STRANGER.keys["other"], "other")
    ),
    "address of keys in the header": lambda: STRANGER.sign(
        ISSUER.claim(URL), "other", jku="https://evil.example/keys", x5u="https://evil.example"
    ),
    "no key id": lambda: jwt.encode(ISSUER.claim(URL), ISSUER.keys["one"], algorithm="ES256"),
    "path as key id": lambda: STRANGER.sign(ISSUER.claim(URL), "other", kid="../../dev/null"),
    "algorithm of another key": lambda: ISSUER.sign(ISSUER.claim(URL), "rsa", kid="one"),
    "critical header": with_header(crit=["exp"], exp=NOW),
    "identity token": with_header(typ="id+jwt"),
    "logout token": with_header(typ="logout+jwt"),
    "other issuer": attack(iss="https://other.example"),
    "issuer with a slash": attack(iss=f"{ISSUER.url}/"),
    "issuers": attack(iss=[ISSUER.url]),
    "other audience": attack(aud="https://other.example/mcp"),
    "audience in part": attack(aud=URL.removesuffix("p")),
    "longer audience": attack(aud=f"{URL}/../other"),
    "no audience": attack(aud=None),
    "audience as a claim that is none": attack(aud={"url": URL}),
    "expired": attack(exp=NOW - 60),
    "no end": attack(exp=None),
    "end that is no number": attack(exp="never"),
    "endless": attack(exp=float("inf")),
    "not yet": attack(nbf=NOW + 3600),
    "of the future": attack(iat=NOW + 3600),
    "no issuer": attack(iss=None),
    "no subject": attack(sub=None),
    "number as subject": attack(sub=7),
    "empty subject": attack(sub=""),
    "subject on two lines": attack(sub="ada\nall"),
    "long subject": attack(sub="a" * 300),
    "no scope": attack(scope=None),
    "unknown scope": attack(scope="openid everything"),
    "two scopes": attack(scope="hours all"),
    "scope in other letters": attack(scope="HOURS"),
    "scope that is none": attack(scope={"hours": True}),
    "no profile": attack(sub="https://"),
    "profile outside": attack(sub="../ada"),
    "the installation's profile": attack(sub="default"),
    "long": attack(padding="x" * 20_000),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_any_single_fault_makes_a_token_invalid(desk: Desk, name: str) -> None:
    """Any single fault makes a token invalid, whatever else about it is right."""
    assert desk.verify(GOOD)
    assert desk.verify(ATTACKS[name]()) is None


def test_faults_of_signed_tokens_are_reported_to_the_server_owner(desk: Desk) -> None:
    """The owner hears of a person who signed in without a scope, but not of made-up tokens."""
    desk.verify(attack(scope=None)())
    desk.verify(attack(scope="hours all")())
    desk.verify(attack(sub="../ada")())
    desk.verify(ATTACKS["another's key"]())
    desk.verify(ATTACKS["expired"]())
    assert desk.refused == [
        ("issuer:ada", "the claim scope names no scope of the configuration"),
        ("issuer:ada", "the claim scope names more than one scope of the configuration"),
        ("issuer:../ada", "the claim sub is no name that a profile can have"),
    ]


def test_values_of_claims_are_mapped() -> None:
    """Groups map to scopes and persons to profiles; a value not in the settings is refused."""
    desk = Desk(
        scope=ClaimRule("groups", {"g-1": "all", "g-2": "all", "g-3": "hours"}),
        profile=ClaimRule("oid", {"7f": "ada", "80": "default"}),
    )
    found = desk.verify(attack(groups=["g-1", "g-2", "x"], oid="7f")())
    assert found is not None
    caller = desk.tokens.find_caller(found)
    assert (caller.scope.name, caller.profile) == ("all", "ada")
    assert desk.verify(attack(groups="g-3", oid="80")())
    for claims in (
        {"groups": ["all"], "oid": "7f"},
        {"groups": ["g-1", "g-3"], "oid": "7f"},
        {"groups": "g-1 g-2", "oid": "7f"},
        {"groups": ["g-1"], "oid": "ada"},
        {"groups": ["g-1"]},
        {"groups": [["g-1"]], "oid": "7f"},
    ):
        assert desk.verify(attack(**claims)()) is None, claims
    with pytest.raises(ConfigError, match="issuer_scopes"):
        Desk(scope=ClaimRule("groups", {"g-1": "everything"}))


def test_keys_are_cached_and_refetched_when_one_is_unknown() -> None:
    """Keys are fetched once for many tokens, and once per half minute for unknown keys."""
    issuer = Issuer(keys={"one": make_key()})
    desk = Desk(issuer)
    token = issuer.sign(issuer.claim(URL))
    assert [bool(desk.verify(token)) for _ in range(3)] == [True] * 3
    assert desk.fetched == 1
    issuer.keys["two"] = make_key()
    new = issuer.sign(issuer.claim(URL), "two")
    assert desk.verify(new) is None  # The keys were fetched a moment ago.
    desk.clock.sleep(RETRY_S)
    assert desk.verify(new)
    for number in range(20):
        assert desk.verify(issuer.sign(issuer.claim(URL), "two", kid=f"made-up-{number}")) is None
    assert desk.fetched == 2


def test_a_withdrawn_key_expires_within_ten_minutes() -> None:
    """A withdrawn key, and the tokens that it signed, end within ten minutes."""
    issuer = Issuer(keys={"one": make_key(), "two": make_key()})
    desk = Desk(issuer)
    token = issuer.sign(issuer.claim(URL))
    assert desk.verify(token)
    del issuer.keys["one"]
    assert desk.verify(token)
    desk.clock.sleep(REFRESH_S)
    assert desk.verify(token) is None
    assert desk.told == []


def test_an_unreachable_issuer_fails_new_keys_at_once_known_ones_later() -> None:
    """New keys fail at once, known ones after an hour, with one warning; its answer ends this."""
    issuer = Issuer(keys={"one": make_key()})
    desk = Desk(issuer)
    token = issuer.sign(issuer.claim(URL))
    issuer.is_away = True
    assert desk.verify(token) is None
    issuer.is_away = False
    desk.clock.sleep(RETRY_S)
    assert desk.verify(token)
    issuer.is_away = True
    desk.clock.sleep(REFRESH_S)
    assert desk.verify(token)
    issuer.keys["two"] = make_key()
    assert desk.verify(issuer.sign(issuer.claim(URL), "two")) is None
    desk.clock.sleep(KEEP_S - REFRESH_S)
    assert desk.verify(token) is None
    assert len(desk.told) == 2
    assert all("gave no keys: it did not answer" in each for each in desk.told)
    issuer.is_away = False
    desk.clock.sleep(RETRY_S)
    assert desk.verify(token)


def test_simultaneous_calls_fetch_the_keys_once() -> None:
    """Fifty simultaneous calls fetch the keys once."""
    desk = Desk()

    async def verify_all() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(desk.tokens.verify_token, GOOD)

    anyio.run(verify_all)
    assert desk.fetched == 1


DESCRIPTIONS: dict[str, Any] = {
    "another name": {"issuer": "https://other.example", "jwks_uri": "https://x.example/keys"},
    "no name": {"jwks_uri": "https://x.example/keys"},
    "no keys": {"issuer": ISSUER.url},
    "keys in the clear": {"issuer": ISSUER.url, "jwks_uri": "http://x.example/keys"},
    "keys in a file": {"issuer": ISSUER.url, "jwks_uri": "file:///etc/passwd"},
    "no description": [],
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_an_invalid_issuer_description_gives_no_keys(name: str) -> None:
    """No address without encryption is contacted."""

    def get(url: str) -> Any:
        assert url.startswith("https://")
        return DESCRIPTIONS[name] if ".well-known" in url else ISSUER.list_keys()

    with pytest.raises(IssuerUnreachable):
        fetch_keys(ISSUER.url, get)


def test_an_issuer_description_is_found_at_both_standard_paths() -> None:
    """OpenID Connect puts the description behind the path, RFC 8414 before it."""
    asked: list[str] = []

    def get(url: str) -> Any:
        asked.append(url)
        if "openid" in url:
            raise IssuerUnreachable("404")
        return ISSUER.list_keys() if url.endswith("/keys") else ISSUER.describe()

    assert fetch_keys(ISSUER.url, get)
    assert asked == [
        "https://issuer.example/realm/.well-known/openid-configuration",
        "https://issuer.example/.well-known/oauth-authorization-server/realm",
        "https://issuer.example/realm/keys",
    ]


def test_unsuitable_issuer_keys_are_ignored() -> None:
    """Shared secrets, encryption keys, other algorithms, and weak or broken keys are ignored."""
    good = publish(ISSUER.keys["rsa"], "good", alg="PS256")
    listed = [
        {"kty": "oct", "kid": "secret", "k": "c2VjcmV0", "alg": "HS256"},
        publish(ISSUER.keys["rsa"], "for encryption") | {"use": "enc"},
        publish(ISSUER.keys["one"], "confused", alg="RS256"),
        publish(ISSUER.keys["one"], "curve") | {"crv": "secp256k1"},
        publish(ISSUER.keys["one"], "broken") | {"x": "AA"},
        {"kty": "RSA", "kid": "empty"},
        {**good, "kid": 7},
        "no key",
        good,
    ]

    def get(url: str) -> Any:
        return {"keys": listed} if url.endswith("/keys") else ISSUER.describe()

    assert set(fetch_keys(ISSUER.url, get)) == {("good", "PS256")}
    del listed[-1]
    with pytest.raises(IssuerUnreachable, match="no key"):
        fetch_keys(ISSUER.url, get)
