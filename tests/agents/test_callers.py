"""
Several people's agents on one server, each with its own client library: ``pytest -m agents``.

Each library is in its own environment, and talks over stdio, and over HTTP with a token.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest

from harvest_source.sandbox import Sandbox
from tests.support.command import build_settings
from tests.support.environments import make_environment
from tests.support.served import Served, prepare

pytestmark = pytest.mark.agents

SCRIPTS = Path(__file__).parent / "scripts"
PACKAGES = {
    "mcp": ("mcp>=2.3,<3",),
    "fastmcp": ("fastmcp>=4,<5",),
    "openai_agents": ("openai-agents>=0.24,<0.25",),
}
CLIENTS = (("mcp", "auto"), ("mcp", "legacy"), ("fastmcp", "auto"), ("openai_agents", ""))
"""Each library with the era of the protocol that it speaks."""
each_client = pytest.mark.parametrize(("library", "era"), CLIENTS)

NOTIFY = "http://127.0.0.1:1/hook/notify-canary"
OAUTH = {
    "CLIENT_ID": "an-app",
    "CLIENT_SECRET": "secret-canary-0123456789",
    "REFRESH_TOKEN": "refresh-canary-0123456789",
}
"""A sign-in that Harvest refuses."""
SCOPES = """
[sources.harvest.scopes.hours]
tools = ["list_tables", "list_records", "sum_time"]
columns = ["time_entries.id", "time_entries.account_id", "time_entries.hours"]

[sources.harvest.scopes.mine]
rows = "own"
columns = ["time_entries.*", "users.id", "users.account_id"]
sql = true

[sources.harvest.scopes.all]
sql = true
"""
TOOLS = {
    "hours": ["list_tables", "list_records", "sum_time"],
    "mine": [
        "list_tables",
        "describe_table",
        "list_records",
        "get_record",
        "find",
        "sum_time",
        "query",
        "get_status",
    ],
}
COUNT = {"sql": "SELECT COUNT(*), COUNT(DISTINCT user__id) FROM time_entries"}
GENERATION = {"sql": "SELECT notes, COUNT(*) FROM time_entries GROUP BY 1 ORDER BY 1"}


class Agent:
    """A script in another environment that talks to the server; use it in a ``with``."""

    def __init__(
        self,
        script: Sequence[Path | str],
        connection: Mapping[str, Any],
        *,
        token: str,
        folder: Path,
    ) -> None:
        self._child = subprocess.Popen(
            [*script, json.dumps(connection)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "TOKEN": token},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.heard: list[str] = []
        self.began = self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        _, errors = self._child.communicate(timeout=60)
        self.heard.append(errors)

    def list_tools(self) -> list[str]:
        """The names of the tools."""
        tools: list[str] = self._ask({})["tools"]
        return tools

    def call(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool; return whether it failed, and the text."""
        return self._ask({"name": name, "arguments": arguments})

    def read(self, name: str, arguments: Mapping[str, Any]) -> Any:
        """Call a tool that must succeed; return its rows."""
        said = self.call(name, arguments)
        assert said.get("is_error") is False, said
        return json.loads(said["text"])["rows"]

    def _ask(self, asked: Mapping[str, Any]) -> Any:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(asked) + "\n")
        self._child.stdin.flush()
        return self._read()

    def _read(self) -> Any:
        assert self._child.stdout is not None
        self.heard.append(self._child.stdout.readline())
        return json.loads(self.heard[-1])


@dataclass
class Office:
    """
    Three people's agents, their server, and the account behind it.

    Attributes:
        heard: Everything that any agent received.
    """

    served: Served
    account: Sandbox
    pythons: Mapping[str, Path]
    heard: list[str] = field(default_factory=list)

    @contextmanager
    def agent(self, name: str, library: str, era: str, **headers: str) -> Iterator[Agent]:
        """A client of the server over HTTP, with the token of *name*."""
        connection = {"url": self.served.url, "mode": era, "headers": headers}
        with self._agent(library, connection, self.served.tokens[name]) as agent:
            yield agent

    @contextmanager
    def started(self, library: str, era: str, *arguments: str) -> Iterator[Agent]:
        """A client that starts its own server."""
        command = [*("-m", "harvest_source", "mcp", "--audit-log", str(self.served.log))]
        connection = {
            "command": sys.executable,
            "args": [*command, *arguments],
            "env": self.served.surroundings,
            "mode": era,
        }
        with self._agent(library, connection, "") as agent:
            yield agent

    @contextmanager
    def _agent(self, library: str, connection: Mapping[str, Any], token: str) -> Iterator[Agent]:
        script = (self.pythons[library], "-W", "ignore", SCRIPTS / f"talk_{library}.py")
        with Agent(script, connection, token=token, folder=self.served.folder) as agent:
            yield agent
        self.heard += agent.heard

    def sync(self) -> subprocess.CompletedProcess[str]:
        """A real sync of the account's time entries."""
        done = self.served.command("sync", "--json", *("--table", "time_entries"))
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A synced account, and a server with tokens for three people and one for another server."""
    environments = tmp_path_factory.mktemp("environments")
    pythons = {
        name: make_environment(environments / name, *packages)
        for name, packages in PACKAGES.items()
    }
    with Sandbox(entries=60, limit=False).start() as account:
        settings = build_settings(account) | {"SOURCES__HARVEST__NOTIFY_URL": NOTIFY}
        for profile, role in (
            ("MANAGER", "manager"),
            ("MEMBER", "member"),
            ("MANAGER2", "manager"),
        ):
            prefix = f"SOURCES__HARVEST__PROFILES__{profile}"
            settings[f"{prefix}__CREDENTIALS__ACCESS_TOKEN"] = account.tokens[role]
            settings[f"{prefix}__ACCOUNT_ID"] = str(account.account_id)
        prefix = "SOURCES__HARVEST__PROFILES__OAUTH__CREDENTIALS"
        for name, canary in OAUTH.items():
            settings[f"{prefix}__{name}"] = canary
        served = prepare(tmp_path_factory.mktemp("office"), SCOPES, **settings)
        office = Office(served, account, pythons)
        write_generation(office, 0)
        office.sync()
        served.add("ada", "hours")
        served.add("bo", "mine", "--profile", "manager")
        served.add("cy", "mine", "--profile", "member")
        served.add("ed", "mine", "--profile", "oauth")
        served.add("elsewhere", "all", url="http://127.0.0.1:1/mcp")
        with served.running():
            yield office


def write_generation(office: Office, number: int) -> None:
    """Give every entry the same note."""
    for entry in office.account.rows("time_entries"):
        office.account.edit("time_entries", entry["id"], notes=f"generation {number}")


def check_scope(agent: Agent, scope: str) -> None:
    """Check a scope's tools and rows; a hidden tool must answer like one that does not exist."""
    assert agent.began == {"is_connected": True}
    assert agent.list_tools() == TOOLS[scope]
    listed = agent.read("list_records", {"table": "time_entries", "limit": 500})
    assert listed
    if scope == "hours":
        assert all(len(row) == 3 for row in listed)
        hidden, unknown = agent.call("query", COUNT), agent.call("nothing", {})
        assert hidden == unknown
        assert hidden.get("is_error", True)
    else:
        assert agent.read("query", COUNT)[0] == [len(listed), 1]


@each_client
def test_each_library_has_the_tools_of_its_scope(office: Office, library: str, era: str) -> None:
    """Over both transports, a tool that the scope hides answers like one that does not exist."""
    with office.agent("ada", library, era) as agent:
        check_scope(agent, "hours")
    with office.agent("cy", library, era) as agent:
        check_scope(agent, "mine")
    with office.started(library, era, "--scope=hours") as agent:
        check_scope(agent, "hours")
    with office.started(library, era, "--scope=mine", "--as=member") as agent:
        check_scope(agent, "mine")


def test_one_of_three_is_revoked_and_two_go_on(office: Office) -> None:
    """Revoking one person's token ends that person's open conversation, and no other."""
    office.served.add("di", "mine", "--profile", "manager")
    used = (("ada", "mcp", "legacy"), ("di", "fastmcp", "auto"), ("cy", "openai_agents", ""))
    asked = {"table": "time_entries", "limit": 1}
    with ExitStack() as stack:
        agents = [stack.enter_context(office.agent(*each)) for each in used]
        first = [each.read("list_records", asked) for each in agents]
        assert office.served.command("mcp", "token", "revoke", "di").returncode == 0
        assert agents[0].read("list_records", asked) == first[0]
        refused = agents[1].call("list_records", asked)
        assert "failed" in refused or refused["is_error"], refused
        assert agents[2].read("list_records", asked) == first[2]
        assert agents[0].read("list_records", asked) == first[0]


@each_client
def test_strangers_get_nothing(office: Office, library: str, era: str) -> None:
    """Another server's token, a foreign ``Origin`` and a foreign ``Host`` are all refused."""
    for name, headers in (
        ("elsewhere", {}),
        ("cy", {"Host": "evil.example"}),
        ("cy", {"Origin": "https://evil.example"}),
    ):
        with office.agent(name, library, era, **headers) as agent:
            assert "failed" in agent.began, (name, headers)


def test_agents_ask_while_syncs_run(office: Office) -> None:
    """Three clients query without a pause while syncs run: each answer is of a single state."""
    used = (("cy", "mcp", "auto"), ("bo", "fastmcp", "auto"), ("cy", "openai_agents", ""))
    is_over = threading.Event()
    states: list[list[str]] = []

    def ask_on(agent: Agent, found: list[str]) -> None:
        while not is_over.is_set():
            said = agent.call("query", GENERATION)
            found.append(said["text"] if said.get("is_error") is False else f"error: {said}")

    with ExitStack() as stack:
        threads = []
        for each in used:
            agent, found = stack.enter_context(office.agent(*each)), list[str]()
            states.append(found)
            threads.append(threading.Thread(target=ask_on, args=(agent, found)))
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 4):
                write_generation(office, number)
                office.sync()
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
    for found in states:
        assert not [each for each in found if each.startswith("error")]
        rows = [json.loads(each)["rows"] for each in found]
        assert all(len(each) == 1 for each in rows), "a torn read"
        notes = [each[0][0] for each in rows]
        assert notes == sorted(notes), "an older state after a newer one"
        assert len({each[0][1] for each in rows}) == 1


def test_harvest_revokes_one(office: Office) -> None:
    """If Harvest refuses a person's sign-in, that person gets nothing, and the others go on."""
    trouble = f"bad token {office.account.tokens['manager']}"
    office.account.fault("invalid", path="/users/me", message=trouble)
    office.served.add("fay", "mine", "--profile", "manager2")
    asked = {"table": "time_entries"}
    with ExitStack() as stack:
        used = (("ada", "mcp", "auto"), ("fay", "fastmcp", "auto"), ("ed", "openai_agents", ""))
        ada, *refused = (stack.enter_context(office.agent(*each)) for each in used)
        for agent in refused:
            said = agent.call("list_records", asked)
            assert "failed" in said or "sign-in of profile" in said["text"], said
        assert ada.read("list_records", asked)
    office.account.clear_faults()


def test_no_secret_was_said_or_written(office: Office) -> None:
    """No answer, error, log, token list or file has Harvest's tokens, ours, or the notify URL."""
    secrets = {*office.account.tokens.values(), *office.served.tokens.values(), "notify-canary"}
    secrets |= {OAUTH["CLIENT_SECRET"], OAUTH["REFRESH_TOKEN"]}
    commands = (
        ("ask", "log", "--json", "--audit-log", str(office.served.log)),
        ("mcp", "token", "list", "--json"),
        ("auth", "status", "--check", "--all", "--json"),
    )
    said = list(office.heard)
    for command in commands:
        done = office.served.command(*command)
        said += [done.stdout, done.stderr]
    for path in office.served.folder.rglob("*"):
        if path.is_file():
            said.append(path.read_bytes().decode(errors="replace"))
    assert len(said) > 20
    for each in said:
        assert not [secret for secret in secrets if secret in each]
