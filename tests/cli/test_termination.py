"""SIGTERM, with which schedulers and containers end a command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harvest_source.operations import dbt_runs
from harvest_source.sandbox import Sandbox
from harvest_source.termination import Terminated, ending_on_sigterm
from tests.support.children import Child
from tests.support.command import (
    Start,
    build_environment,
    build_settings,
    clean_environment,
    run_command,
    start_command,
)
from tests.support.posts import Post, serving

pytestmark = pytest.mark.thorough


@pytest.fixture
def server(start: Start) -> Sandbox:
    """A small account."""
    return start(entries=20)


class Destroyed:
    """Python ignores every exception that a destructor raises."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


def test_a_sigterm_that_python_ignores_is_repeated() -> None:
    """It came during a destructor. Afterwards nothing of this is left."""

    def destroy_and_wait() -> None:
        Destroyed()
        assert threading.Event().wait(60), "nothing ends the wait"

    hook = sys.unraisablehook
    with pytest.raises(Terminated), ending_on_sigterm():
        destroy_and_wait()
    assert sys.unraisablehook is hook
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def wait_for_request(server: Sandbox, table: str) -> threading.Event:
    asked = threading.Event()
    server.before_request(lambda request: asked.set() if request.table == table else None)
    return asked


def end(child: Child, number: int = signal.SIGTERM) -> tuple[str, str]:
    """Send a signal; the streams of a child that it ended. Without it, none would end."""
    child.send_signal(number)
    out, err = child.communicate(timeout=30)
    assert child.returncode == 128 + number, (child.returncode, out, err)
    assert "Traceback" not in err
    return out, err


@pytest.mark.parametrize("command", ["sync", "verify", "check"])
@pytest.mark.parametrize("fault", ["stall", "rate_limited"])
def test_sigterm_ends_a_wait_for_harvest(
    server: Sandbox, folder: Path, command: str, fault: str
) -> None:
    """Exit code 143 and one message, also while Harvest does not answer or asks for a pause."""
    settings = build_settings(server)
    if command == "verify":
        assert run_command("sync", "--table=clients", folder=folder, settings=settings).code == 0
    asked = wait_for_request(server, "clients")
    more = {"retry_after": 600} if fault == "rate_limited" else {}
    server.fault(fault, table="clients", times=50, **more)
    child = start_command(command, folder=folder, settings=settings)
    assert asked.wait(60)
    _, err = end(child)
    assert err.count("Ended by SIGTERM. What was loaded stays") == 1


def test_the_json_log_ends_with_a_run_line(server: Sandbox, folder: Path) -> None:
    """``--log-format json`` writes its ``run`` line, however the command ends."""
    asked = wait_for_request(server, "clients")
    server.fault("stall", table="clients")
    arguments = ("sync", "--json", "--log-format", "json")
    child = start_command(*arguments, folder=folder, settings=build_settings(server))
    assert asked.wait(60)
    out, err = end(child)
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines if line["event"] != "progress"] == ["error", "run"]
    assert (lines[-1]["status"], lines[-1]["exit_code"]) == ("error", 143)
    assert json.loads(out)["errors"][0]["type"] == "Terminated"


@pytest.mark.parametrize(
    ("number", "name", "event"),
    [(signal.SIGTERM, "SIGTERM", ["recovered"]), (signal.SIGINT, "Ctrl-C", [])],
)
def test_a_dead_man_switch_hears_of_the_end(
    server: Sandbox, folder: Path, number: int, name: str, event: list[str]
) -> None:
    """``/start`` is followed by ``/fail``, once; after SIGTERM the next good run is a recovery."""
    asked = wait_for_request(server, "clients")
    server.fault("stall", table="clients")
    with serving() as post:
        settings = build_settings(server) | {
            "SOURCES__HARVEST__NOTIFY_URL": post.url,
            "SOURCES__HARVEST__NOTIFY_STYLE": "ping",
        }
        child = start_command("sync", "--table=clients", folder=folder, settings=settings)
        assert asked.wait(60)
        end(child, number)
        assert [path.rpartition("/")[2] for path, _ in post.got] == ["start", "fail"]
        assert f"Ended by {name}" in post.got[1][1]["text"]
        server.clear_faults()
        settings["SOURCES__HARVEST__NOTIFY_STYLE"] = "post"
        assert run_command("sync", "--table=clients", folder=folder, settings=settings).code == 0
        assert [body["event"] for _, body in post.got[2:]] == event


def start_sync_with_a_silent_recipient(server: Sandbox, folder: Path, post: Post) -> Child:
    """Start a sync that waits for Harvest, and whose notification will get no answer."""
    asked = wait_for_request(server, "clients")
    server.fault("stall", table="clients")
    post.answers.clear()
    settings = build_settings(server) | {"SOURCES__HARVEST__NOTIFY_URL": post.url}
    child = start_command("sync", folder=folder, settings=settings)
    assert asked.wait(60)
    return child


def test_a_recipient_that_does_not_answer_does_not_prevent_the_end(
    server: Sandbox, folder: Path
) -> None:
    """The command ends although its notification is never answered."""
    with serving() as post:
        end(start_sync_with_a_silent_recipient(server, folder, post))
        assert post.arrived.is_set()
        post.answers.set()


def test_a_second_sigterm_ends_the_command_at_once(server: Sandbox, folder: Path) -> None:
    """It does not wait for the notification either, and prints no traceback."""
    with serving() as post:
        child = start_sync_with_a_silent_recipient(server, folder, post)
        child.send_signal(signal.SIGTERM)
        assert post.arrived.wait(60)
        child.send_signal(signal.SIGTERM)
        _, err = child.communicate(timeout=30)
        # After the notification has failed, the command would print its message.
        assert (child.returncode, err) == (143, "")
        post.answers.set()


CALL = """
import os, signal, threading

def strike(*_, **__):
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(30)

import {module} as module
module.{name} = strike
from harvest_source.__main__ import main
main()
"""


@pytest.mark.parametrize(
    ("command", "module", "name"),
    [
        (["export", "out"], "harvest_source.export.export", "export"),
        (["transform"], "harvest_source.operations.transform", "transform"),
    ],
)
def test_commands_that_ask_nothing_of_harvest_end_too(
    folder: Path, command: list[str], module: str, name: str
) -> None:
    """``export`` and ``transform`` end with 143 and one line."""
    done = subprocess.run(
        [sys.executable, "-c", CALL.format(module=module, name=name), *command],
        cwd=folder,
        env={**clean_environment(), **build_environment(folder)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (143, "")
    assert len(done.stderr.splitlines()) <= 2
    assert "Ended by SIGTERM" in done.stderr


def test_sigterm_ends_dbt_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process of dbt has ended when the command ends."""
    code = "import signal; print('1 of 2 ', flush=True); signal.pause()"
    monkeypatch.setattr(dbt_runs, "_MAIN", code)

    def strike(*_: int) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Terminated), ending_on_sigterm():
        dbt_runs._run([], dict(os.environ), strike)


def test_a_call_on_another_thread_leaves_the_signal_alone() -> None:
    """A scheduler that runs ``sync()`` in a thread keeps its own way of ending."""
    seen = []

    def look() -> None:
        with ending_on_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_process_with_a_handler_keeps_it() -> None:
    """A process that handles or ignores SIGTERM already goes on doing so."""
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with ending_on_sigterm():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_library_call_installs_no_handler(server: Sandbox, folder: Path) -> None:
    """``sync()`` leaves the signal to its process."""
    code = """
import signal
import harvest_source

def refuse(number, handler, set_signal=signal.signal):
    assert not getattr(handler, "__module__", "").startswith("harvest_source"), handler
    return set_signal(number, handler)

signal.signal = refuse
assert harvest_source.sync(table=["clients"]).status == "ok"
assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
"""
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**clean_environment(), **build_environment(folder), **build_settings(server)},
        check=True,
        timeout=120,
    )
