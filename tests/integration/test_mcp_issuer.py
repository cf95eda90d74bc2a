"""A company's own issuer: the real command, a real issuer, and the protocol's own client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from tests.support.issuer import SECRET, Issuer, make_key, sign_with_public_key, write_unsigned
from tests.support.limited import EXAMPLE
from tests.support.served import Served, prepare

SETTINGS = """
[sources.harvest]
issuer_url = "{url}"
issuer_scope_claim = "groups"

[sources.harvest.issuer_scopes]
g-hours = "hours"
g-all = "all"

[sources.harvest.issuer_profiles]
ada = "ada"
bo = "bo"

[sources.harvest.scopes.hours]
tools = ["list_tables", "list_records", "sum_time"]
columns = ["time_entries.id", "time_entries.account_id", "time_entries.hours"]

[sources.harvest.scopes.all]
sql = true
"""
PEOPLE = {
    "client-ada": {"sub": "ada", "groups": ["g-hours"], "scope": None},
    "client-bo": {"sub": "bo", "groups": ["g-all", "g-printers"], "scope": None},
    "client-cy": {"sub": "cy", "groups": ["g-all"], "scope": None},
}
METADATA = "/.well-known/oauth-protected-resource/mcp"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """The company's issuer, with one key of each kind."""
    keys = {"one": make_key(), "rsa": make_key("RS256")}
    with Issuer(keys=keys, people=PEOPLE).serve() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, issuer: Issuer) -> Iterator[Served]:
    """A server without its own tokens, where every caller signs in through the issuer."""
    served = prepare_with(issuer, tmp_path_factory.mktemp("issuer"))
    with served.running():
        yield served


def prepare_with(issuer: Issuer, folder: Path) -> Served:
    """A server on the small warehouse, for callers of the issuer."""
    EXAMPLE.write(folder / "harvest_data.duckdb")
    return prepare(folder, SETTINGS.format(url=issuer.url))


class Storage:
    """Storage of a client that keeps nothing."""

    async def get_tokens(self) -> OAuthToken | None:
        return None

    async def set_tokens(self, tokens: OAuthToken) -> None:
        pass

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        pass


def ask(served: Served, issuer: Issuer, client_id: str, era: str) -> tuple[list[str], Any]:
    """Sign in by the protocol, starting with the 401; return the tools and the records."""
    auth = ClientCredentialsOAuthProvider(
        served.url,
        Storage(),
        client_id,
        SECRET,
        token_endpoint_auth_method="client_secret_post",
        issuer=issuer.url,
    )

    async def run() -> tuple[list[str], Any]:
        async with (
            httpx2.AsyncClient(auth=auth, trust_env=False, timeout=60) as web,
            Client(streamable_http_client(served.url, http_client=web), mode=era) as client,
        ):
            tools = [tool.name for tool in (await client.list_tools()).tools]
            answer = await client.call_tool("list_records", {"table": "time_entries"})
            return tools, answer.structured_content

    return anyio.run(run)


@pytest.mark.parametrize("era", ["auto", "legacy"])
def test_a_client_signs_in_at_the_issuer(served: Served, issuer: Issuer, era: str) -> None:
    """The metadata alone leads the client to the issuer; its groups decide what it may do."""
    tools, answer = ask(served, issuer, "client-ada", era)
    assert tools == ["list_tables", "list_records", "sum_time"]
    assert answer["columns"] == ["account_id", "id", "hours"]
    tools, answer = ask(served, issuer, "client-bo", era)
    assert len(tools) == 8
    assert "notes" in answer["columns"]
    callers = [json.loads(line) for line in served.log.read_text().splitlines()]
    assert {(each["caller"], each["profile"], each["scope"]) for each in callers} >= {
        ("issuer:ada", "ada", "hours"),
        ("issuer:bo", "bo", "all"),
    }


def test_the_metadata_names_the_issuer(served: Served, issuer: Issuer) -> None:
    """The metadata is public and exact, and served only for this server's hosts."""
    found = httpx.get(served.origin + METADATA, trust_env=False)
    assert found.json() == {
        "resource": served.url,
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "resource_name": "Harvest warehouse",
    }
    challenge = served.post().headers["www-authenticate"]
    assert challenge == f'Bearer resource_metadata="{served.origin}{METADATA}"'
    evil = httpx.get(served.origin + METADATA, headers={"host": "evil.example"}, trust_env=False)
    assert evil.status_code == 421


def test_tokens_without_a_valid_caller_are_refused_alike(served: Served, issuer: Issuer) -> None:
    """All get the same answer; no file contains a token; the log names a caller without a scope."""
    stranger = Issuer(url=issuer.url, keys={"one": make_key(), "other": make_key()})
    good = issuer.claim(served.url, **PEOPLE["client-bo"])
    bad = {
        "none": write_unsigned(good, "one"),
        "shared secret": sign_with_public_key(good, issuer.keys["rsa"], "rsa"),
        "other issuer": issuer.sign(good | {"iss": "https://other.example"}),
        "other audience": issuer.sign(good | {"aud": "https://other.example/mcp"}),
        "expired": issuer.sign(good | {"exp": 1}),
        "another's key": stranger.sign(good),
        "unknown key": stranger.sign(good, "other"),
        "no scope": issuer.sign({name: good[name] for name in good if name != "groups"}),
        "unknown scope": issuer.sign(good | {"groups": ["all"]}),
        "unknown profile": issuer.sign(issuer.claim(served.url, **PEOPLE["client-cy"])),
    }
    served.tokens |= {**bad, "good": issuer.sign(good)}
    answers = {name: served.post(name) for name in bad}
    assert {each.status_code for each in answers.values()} == {401}
    assert len({each.text for each in answers.values()}) == 1
    assert served.post("good").status_code == 200
    log = served.log.read_text()
    refused = [json.loads(line) for line in log.splitlines() if '"refused: ' in line]
    assert {(each["caller"], each["outcome"].split(" names ")[1]) for each in refused} == {
        ("issuer:bo", "no scope of the configuration"),
        ("issuer:cy", "no profile"),
    }
    for path in served.folder.rglob("*"):
        if path.is_file() and path.suffix != ".duckdb":
            text = path.read_text(errors="replace")
            assert not any(token in text for token in served.tokens.values()), path


def test_a_session_belongs_to_the_person_and_outlives_a_token(
    served: Served, issuer: Issuer
) -> None:
    """A renewed token continues the session; another person's does not; an expired one fails."""

    def token(client: str, **others: Any) -> str:
        return issuer.sign(issuer.claim(served.url, **PEOPLE[client], **others))

    served.tokens |= {"first": token("client-ada"), "renewed": token("client-ada", jti="2")}
    served.tokens |= {"bo": token("client-bo"), "over": token("client-ada", exp=1)}
    session = served.post("first").headers["mcp-session-id"]
    own = {"mcp-session-id": session, "mcp-protocol-version": "2025-06-18"}
    assert served.post("renewed", **own).status_code != 404
    assert served.post("bo", **own).status_code == 404
    assert served.post("over", **own).status_code == 401


@pytest.mark.rare
def test_tokens_of_an_unreachable_issuer_are_refused_and_reported(
    tmp_path: Path, issuer: Issuer
) -> None:
    """The issuer's tokens are refused, ours are not; one line on stderr gives the reason."""
    issuer.is_away = True
    try:
        served = prepare_with(issuer, tmp_path)
        served.add("di", "all")
        with served.running():
            good = issuer.claim(served.url, **PEOPLE["client-bo"])
            served.tokens["good"] = issuer.sign(good)
            assert served.post("good").status_code == 401
            assert served.post("good").status_code == 401
            assert served.post("di").status_code == 200
            (line,) = served.stderr.read_text().splitlines()
            assert "error: The issuer gave no keys" in line
            assert "answered 503" in line
    finally:
        issuer.is_away = False


@pytest.mark.rare
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('issuer_url = "https://x.example"\nissuer_scopes = {a = "b"}', "does not exist"),
        ("", "mcp token add"),
    ],
)
def test_settings_that_cannot_work_stop_the_server(
    tmp_path: Path, settings: str, words: str
) -> None:
    """The server stops before it listens, and says what is wrong."""
    served = prepare(tmp_path, f"[sources.harvest]\n{settings}\n")
    done = served.command("mcp", "--http=127.0.0.1:1", "--audit-log", str(served.log))
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
