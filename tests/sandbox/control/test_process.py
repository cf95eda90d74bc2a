"""Control over HTTP, and the sandbox as a process."""

from __future__ import annotations

import threading
import urllib.error

import httpx
import pytest

from harvest_source.sandbox import Sandbox, start_process
from harvest_source.sandbox.__main__ import build_parser, build_settings
from harvest_source.sandbox.settings import PEOPLE
from tests.sandbox.reader import Reader, Start

TOKEN = PEOPLE[1].token
"""The manager's."""


def control(reader: Reader, command: str, **arguments: object) -> httpx.Response:
    """A command by POST, as another process would send it."""
    return reader.client.post(f"{reader.server.id_url}/_sandbox/{command}", json=arguments)


def test_commands_over_http_do_what_the_methods_do(start: Start) -> None:
    """The commands create, edit, delete, count and rows do what the methods do."""
    reader = start(entries=20)
    made = control(reader, "create", table="clients", name="Posted").json()
    assert made["name"] == "Posted"
    control(reader, "edit", table="clients", record_id=made["id"], currency="CHF")
    assert reader.server.row("clients", made["id"]) == made | {"currency": "CHF"}
    rows = reader.client.get(f"{reader.server.id_url}/_sandbox/rows?table=clients").json()
    assert rows == reader.server.rows("clients")
    control(reader, "delete", table="clients", record_id=made["id"])
    assert control(reader, "count", table="clients").json() == 8
    budgets = control(reader, "report", name="report_project_budget", is_active=True).json()
    assert budgets == reader.server.report("report_project_budget", is_active=True)
    churned = control(reader, "churn", edits=3, seed=1).json()
    many = {"table": "time_entries", "record_ids": churned["edited"], "notes": "All"}
    assert control(reader, "edit_many", **many).json() == 3


def test_faults_tokens_and_modules_over_http(start: Start) -> None:
    """Faults, alterations, roles, modules, the clock and tokens can be controlled over HTTP."""
    reader = start(entries=20)
    control(reader, "fault", name="unavailable", table="clients", times=1)
    assert reader.get("clients").status_code == 503
    assert reader.get("clients").status_code == 200
    control(reader, "set_module", module="invoice", on=False)
    assert reader.get("invoices").json()["invoices"] == []
    control(reader, "alter", table="tasks", change="drop_field", name="name")
    assert "name" not in reader.rows("tasks")[0]
    token = reader.server.tokens["member"]
    control(reader, "set_role", token=token, role="administrator")
    assert reader.get("clients", token=token).status_code == 200
    assert control(reader, "advance", seconds=60).json() == {"now": "2026-06-17T12:01:00Z"}
    control(reader, "revoke")
    assert reader.get("clients").status_code == 401
    control(reader, "restore_token")
    assert reader.get("clients").status_code == 200


def test_exact_numbers_over_http(start: Start) -> None:
    """A decimal that a float cannot hold keeps its digits over HTTP."""
    reader = start(entries=20)
    entry = reader.server.rows("time_entries")[0]["id"]
    body = f'{{"table":"time_entries","record_id":{entry},"hours":0.12345678901234567890}}'
    reader.client.post(f"{reader.server.id_url}/_sandbox/edit", content=body)
    assert '"hours":0.12345678901234567890' in reader.get(f"time_entries/{entry}").text


def test_control_is_neither_logged_nor_throttled(start: Start) -> None:
    """Control requests do not appear in the log or in its counts."""
    reader = start(entries=5)
    reader.get("clients")
    stats = control(reader, "stats").json()
    assert stats["requests"] == {"clients": 1}
    assert stats["accounts"]["1000001"]["time_entries"] == 5
    assert [entry["path"] for entry in control(reader, "requests").json()] == ["/v2/clients"]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("explode", {}),
        ("edit", {"table": "clients", "record_id": 1, "name": "?"}),
        ("rows", {"table": "nonsense"}),
        ("rows", {"colour": "red"}),
        ("count", {"table": "clients", "user_id": 1}),
        ("count", {"table": "clients", "updated_since": "yesterday"}),
        ("fault", {"name": "nonsense"}),
        ("fault", {"name": "server_error", "tabel": "users"}),
        ("fault", {"name": "server_error", "table": "nonsense"}),
        ("fault", {"name": "server_error", "method": "get"}),
        ("fault", {"name": "server_error", "path": "("}),
        ("fault", {"name": "server_error", "nth": 0}),
        ("fault", {"name": "server_error", "times": -1}),
        ("fault", {"name": "server_error", "probability": "often"}),
        ("fault", {"name": "server_error", "probability": 2}),
        ("fault", {"name": "latency", "ms": "long"}),
        ("fault", {"name": "slow_body", "chunk": 0}),
        ("fault", {"name": "cache", "fresh": "("}),
        ("fault", {"name": "redirect", "status": 99}),
        ("set_latency", {"ms": -1}),
        ("set_latency", {"ms": "5"}),
        ("set_latency", {"ms": None}),
        ("churn", {"table": "nonsense"}),
        ("churn", {"table": "company", "edits": 1}),
        ("churn", {"creations": -3}),
        ("churn", {"edits": 1.5}),
        ("alter", {"table": "users", "change": "add_field", "nmae": "x"}),
        ("alter", {"table": "users", "change": "whole_to_fraction", "name": "id", "fraction": "x"}),
        ("set_role", {"token": TOKEN, "role": "nonsense"}),
        ("set_role", {"token": TOKEN, "role": "manager", "grants": "estimates_manager"}),
        ("set_module", {"module": "invoice", "on": "false"}),
        ("set_limit", {"on": "false"}),
        ("use_allowance", {"requests": -5}),
        ("use_allowance", {"requests": 1, "budget": "nonsense"}),
        ("use_allowance", {"requests": 1, "account_id": 5}),
        ("revoke", {"token": "nonsense"}),
        ("restore_token", {"token": "nonsense"}),
        ("set_oauth", {"nonsense": 1}),
        ("set_oauth", {"access_s": "long"}),
        ("set_oauth", {"auto": "perhaps"}),
        ("issue_code", {"person": 99}),
        ("issue_code", {"person": -1}),
        ("issue_tokens", {"client_id": "nonsense"}),
        ("issue_tokens", {"accounts": [5]}),
        ("advance", {}),
        ("advance", {"seconds": 1e300}),
        ("report", {"name": "nonsense"}),
        ("requests", {"tabel": "users"}),
        ("secrets", {"tabel": "users"}),
    ],
)
def test_refused_commands_say_why(
    shared: Reader, command: str, arguments: dict[str, object]
) -> None:
    """The answer to a command that cannot be carried out is a 400 with the reason."""
    answer = control(shared, command, **arguments)
    assert answer.status_code == 400
    assert " " in answer.json()["error"]  # More than the name that was not found.
    assert shared.get("users").status_code == 200


@pytest.mark.parametrize(
    ("command", "body"),
    [
        ("set_latency", b'{"ms": NaN}'),
        ("set_latency", b'{"ms": Infinity}'),
        ("advance", b'{"seconds": Infinity}'),
        ("stats", b"[" * 100_000),
        ("stats", b"{"),
        ("stats", b"[1]"),
    ],
)
def test_bodies_that_no_command_can_use_are_refused(
    shared: Reader, command: str, body: bytes
) -> None:
    """A number that is none, and JSON that cannot be read, get a 400, and the sandbox answers."""
    url = f"{shared.server.id_url}/_sandbox/{command}"
    answer = shared.client.post(url, content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert shared.get("users").status_code == 200


def test_many_requests_in_flight(start: Start) -> None:
    """Twelve waiting requests are all in the server at once."""
    reader = start(entries=5)
    together = threading.Barrier(12, timeout=10)
    reader.server.before_request(lambda _: together.wait())
    answers: list[int] = []

    def ask() -> None:
        url = f"{reader.server.api_url}/clients"
        answers.append(reader.client.get(url, headers=reader.headers()).status_code)

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 12


def test_start_process_serves_in_a_separate_process() -> None:
    """start_process serves with the options given, obeys commands, and ends when stopped."""
    with start_process("--entries", "30", "--accounts", "2", "--cursor-entries") as server:
        headers = {
            "Authorization": f"Bearer {server.token}",
            "Harvest-Account-Id": str(server.account_ids[1]),
            "User-Agent": "tests",
        }
        url = f"{server.api_url}/time_entries?per_page=10"
        content = httpx.get(url, headers=headers, trust_env=False).json()
        assert content["total_entries"] == 30
        assert "cursor=" in content["links"]["next"]
        server.control("churn", deletions=2, account_id=server.account_ids[1])
        stats = server.control("stats")["accounts"]
        assert [stats[str(key)]["time_entries"] for key in server.account_ids] == [30, 28]
        with pytest.raises(urllib.error.HTTPError):
            server.control("explode")
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, headers=headers, trust_env=False)


def test_a_process_that_cannot_start_says_so() -> None:
    """A bad option ends the process, and start_process raises."""
    with pytest.raises(RuntimeError, match="exit code 2"):
        start_process("--nonsense")


def test_the_options_become_settings() -> None:
    """Each option reaches its setting."""
    sizes = ["--entries", "9", "--users", "4", "--seed", "3", "--accounts", "2"]
    options = build_parser().parse_args([*sizes, "--no-limit", "--latency-ms", "5"])
    settings = build_settings(options)
    assert (settings.entries, settings.users, settings.seed) == (9, 4, 3)
    assert (settings.limit, settings.latency_ms) == (False, 5)
    assert settings.accounts == (1000001, 1000002)


def test_a_sandbox_starts_and_stops_again(start: Start) -> None:
    """Addresses exist only while it serves; a second stop does nothing."""
    server = start(entries=5).server
    with pytest.raises(RuntimeError, match="serves already"):
        server.start()
    server.stop()
    server.stop()
    with pytest.raises(RuntimeError, match="not serving"):
        _ = server.api_url


def test_whole_settings_and_single_fields_exclude_each_other() -> None:
    """Settings as a whole and single fields exclude each other: which one wins would be unclear."""
    with pytest.raises(TypeError, match="not both"):
        Sandbox(build_settings(build_parser().parse_args([])), entries=3)
