"""cron, systemd and GitHub Actions: ``python -m pytest -m schedulers -n 0 -s``."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.schedulers.site import COMMAND, FILES, Site, check_nothing_twice
from tests.support.postgres import build_environment, select, serving

pytestmark = pytest.mark.schedulers


def install(site: Site) -> Path:
    """Make a home with the command where the files expect it."""
    entry = site.disk / "harvest" / ".venv" / "bin" / "harvest-source"
    entry.parent.mkdir(parents=True, exist_ok=True)
    entry.symlink_to(COMMAND)
    return site.disk / "harvest"


@pytest.fixture
def busybox(tmp_path: Path) -> str:
    """Busybox, whose cron accepts a folder; from Debian's packages if it is not installed."""
    if found := shutil.which("busybox"):
        return found
    if not shutil.which("apt-get"):
        pytest.skip("There is no busybox, and no apt-get to get it by.")
    get = ["apt-get", "download", "-q", "busybox-static"]
    subprocess.run(get, cwd=tmp_path, check=True, capture_output=True)
    (package,) = tmp_path.glob("busybox-static*.deb")
    subprocess.run(["dpkg", "-x", package, tmp_path / "busybox"], check=True)
    return str(next((tmp_path / "busybox").rglob("bin/busybox")))


def test_cron_runs_the_line(site: Site, busybox: str) -> None:
    """A real crond, each minute instead of each hour: two runs, with an empty disk in between."""
    line = (FILES / "harvest.cron").read_text().replace("7 * * * *", "* * * * *")
    line = line.replace("harvest-source sync", f"harvest-source sync --database {site.database}")
    requests = []
    for _ in range(2):
        site.wipe()
        log = install(site) / "sync.log"
        tabs = site.disk / "crontabs"
        tabs.mkdir()
        (tabs / "root").write_text(line.replace("$HOME", str(site.disk)))
        (tabs / "root").chmod(0o600)
        site.count_requests()
        crond = subprocess.Popen([busybox, "crond", "-f", "-c", tabs], env=site.environment)
        try:
            ends = time.monotonic() + 150
            while time.monotonic() < ends and not (log.exists() and log.read_text()):
                time.sleep(0.5)  # cron uses the real clock.
        finally:
            crond.terminate()
            crond.wait()
        print(log.read_text())
        requests.append(site.count_requests())
    check_nothing_twice(site, *requests)


@pytest.fixture
def units(site: Site) -> Path:
    """The unit files, with paths that exist."""
    place = install(site)
    for unit in FILES.glob("harvest.[st]*"):
        text = unit.read_text().replace("/srv/harvest", str(place)).replace("User=harvest\n", "")
        (site.disk / unit.name).write_text(text)
    return site.disk


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="There is no systemd.")
def test_systemd_accepts_the_units(site: Site, units: Path) -> None:
    """systemd's parser accepts every key and value; the timer fires hourly at seven past."""
    names = (units / "harvest.service", units / "harvest.timer")
    done = site.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *names)
    ours = [line for line in done.stdout.splitlines() if "harvest" in line]
    assert (done.returncode, ours) == (0, [])
    when = re.search(r"OnCalendar=(.*)", (units / "harvest.timer").read_text())
    assert when
    done = site.run("systemd-analyze", "calendar", "--iterations=2", when[1])
    assert len(re.findall(r":07:00", done.stdout)) >= 2


def test_what_systemd_would_start_runs(site: Site, units: Path) -> None:
    """The unit's ExecStart runs twice, with an empty disk in between; busy is exit code 7."""
    requests = []
    service = (units / "harvest.service").read_text()
    command = re.search(r"ExecStart=(.*)", service)
    assert command
    for _ in range(2):
        site.wipe()
        install(site)
        site.count_requests()
        done = site.run(*command[1].split(), "--database", site.database)
        assert done.returncode == 0
        requests.append(site.count_requests())
    check_nothing_twice(site, *requests)
    holder = site.hold()
    done = site.run(*command[1].split(), "--database", site.database)
    holder.communicate("\n")
    assert done.returncode == 7
    assert "SuccessExitStatus=7" in service


def test_github_accepts_the_workflow(site: Site, schemas: Path) -> None:
    """The workflow is valid by the JSON schema of workflows."""
    check = schemas.with_name("check-jsonschema")
    workflow = FILES / "github_actions.yml"
    done = site.run(check, "--builtin-schema", "vendor.github-workflows", workflow)
    assert done.returncode == 0


def test_the_workflow_runs_against_postgres(site: Site, tmp_path: Path) -> None:
    """The workflow's step runs twice, each time on an empty disk: the cursors are in PostgreSQL."""
    (step,) = re.findall(r"run: harvest-source (.*)", (FILES / "github_actions.yml").read_text())
    with serving(tmp_path) as address:
        requests = []
        for _ in range(2):
            site.wipe()
            site.count_requests()
            done = site.run(COMMAND, *step.split(), **build_environment(address))
            assert done.returncode == 0
            requests.append(site.count_requests())
        rows = select(address, "SELECT status, tables FROM sync_runs ORDER BY started_at")
        (count,) = select(address, "SELECT COUNT(*) AS n FROM time_entries")
    print(f"requests: {requests}")
    assert requests[1] < 30 < requests[0]
    assert [row["status"] for row in rows] == ["ok", "ok"]
    assert rows[1]["tables"]["time_entries"]["rows"] < 10 < count["n"]
    assert count["n"] == site.server.control("count", table="time_entries")


def test_a_sign_in_outlives_the_disk(site: Site) -> None:
    """With single-use OAuth tokens, token_command passes on each new one."""
    site.server.control("set_oauth", rotate=True)
    secret = site.volume / "refresh_token"
    secret.write_text(site.server.control("issue_tokens")["refresh_token"])
    settings = {
        "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN": "",
        "SOURCES__HARVEST__CREDENTIALS__CLIENT_ID": site.server.client_id,
        "SOURCES__HARVEST__CREDENTIALS__CLIENT_SECRET": site.server.client_secret,
        "SOURCES__HARVEST__TOKEN_COMMAND": f"tee {secret}",
    }
    seen = []
    for _ in range(3):
        site.wipe()
        seen.append(secret.read_text())
        token = {"SOURCES__HARVEST__CREDENTIALS__REFRESH_TOKEN": seen[-1].strip()}
        done = site.run(
            COMMAND, "sync", "--quiet", "--database", site.database, **settings, **token
        )
        assert done.returncode == 0
        assert seen[-1].strip() not in done.stdout
    assert len(set(seen)) == 3
