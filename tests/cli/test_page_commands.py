"""``report`` and ``app``: what is checked first, and what they say when they cannot run."""

from __future__ import annotations

import socket
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

import pytest

from harvest_source.pages import needs, serving
from tests.support.command import Run
from tests.support.marts import MadeMarts


def test_a_report_is_one_file(bare: Run, folder: Path) -> None:
    """A report needs no sign-in; the line or the object says which days it covers."""
    made = MadeMarts(folder / "harvest_data.duckdb")
    made.add("clients", {"client_id": 1, "client_name": "Alder"})
    result = bare("report", "report.html", "--since", "2026-10-01")
    assert (result.code, result.out) == (
        0,
        "report.html: 2026-10-01 to 2026-11-30, as of 2026-11-30\n",
    )
    text = (folder / "report.html").read_text()
    assert "1 Oct 2026 to 30 Nov 2026" in text
    report = bare("report", "other.html", "--client", "alder", "--json").json
    assert (report["file"], report["as_of"]) == ("other.html", "2026-11-30")
    assert "only Alder" in (folder / "other.html").read_text()
    assert {path.name for path in folder.iterdir()} == {
        *("harvest_data.duckdb", "report.html", "other.html")
    }


def test_impossible_reports_are_refused_and_nothing_is_written(bare: Run, folder: Path) -> None:
    """No warehouse, models, folder or client of that name: exit 2 and the next step."""
    assert "harvest-source sync" in bare("report", "report.html").err
    made = MadeMarts(folder / "harvest_data.duckdb")
    for arguments, said in (
        (("none/report.html",), "There is no folder"),
        (("report.html", "--client", "Zed"), "no client 'Zed'"),
        (("report.html", "--until", "2020-01-01", "--since", "2021-01-01"), "before it begins"),
    ):
        result = bare("report", *arguments)
        assert (result.code, result.out) == (2, "")
        assert said in " ".join(result.err.split())
    made.run("DROP SCHEMA harvest_models CASCADE")
    assert "harvest-source transform" in bare("report", "report.html").err
    assert [path.name for path in folder.iterdir()] == ["harvest_data.duckdb"]


def test_a_missing_extra_is_reported(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the command that installs it, and comes before all other checks."""
    lacking = {"report": ("no_such_library",), "app": ("no_such_library",)}
    monkeypatch.setattr(needs, "_MODULES", lacking)
    for command, library in (("report", "vl-convert-python"), ("app", "marimo")):
        result = bare(command, *(["report.html"] if command == "report" else []))
        assert result.code == 2
        assert f"needs the extra {command}" in result.err
        assert library in result.err


def test_a_port_in_use_is_reported_with_the_option_to_change_it(
    bare: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the option that sets another port."""
    monkeypatch.setattr(needs, "_MODULES", {"app": ()})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = bare("app", "--port", str(taken.getsockname()[1]))
    assert result.code == 2
    assert "--port" in result.err


@pytest.mark.parametrize("fault", [None, webbrowser.Error("no such browser")])
def test_the_app_serves_while_its_browser_is_open(
    bare: Run, monkeypatch: pytest.MonkeyPatch, fault: Exception | None
) -> None:
    """A browser in the foreground blocks until it is closed, or fails: the server still starts."""
    served, opened = threading.Event(), threading.Event()
    waited: list[bool] = []

    def open_browser(_: str) -> bool:
        opened.set()
        if fault is not None:
            raise fault
        waited.append(served.wait(10))
        return True

    def serve(_: object, taken: socket.socket, on_ready: Callable[[str], None]) -> None:
        with taken:
            on_ready("http://127.0.0.1/?access_token=canary")
            assert opened.wait(10)
            served.set()

    monkeypatch.setattr(needs, "_MODULES", {"app": ()})
    monkeypatch.setattr(serving, "serve", serve)
    monkeypatch.setattr(webbrowser, "open", open_browser)
    result = bare("app", "--port", "0")
    assert (result.code, result.out) == (0, "http://127.0.0.1/?access_token=canary\n")
    assert waited in ([], [True])
