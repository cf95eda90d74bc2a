"""``query``, ``list`` and ``get``: answers from a warehouse, as table, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest

from tests.support.command import Run
from tests.support.dlt_project import enter_project
from tests.support.questions import make_warehouse

TRICKY = {
    7: "\x1b[31mred\x1b[0m \u202eturned",
    8: '=HYPERLINK("https://example.com")',
    10: "\n=1+1",
    9: "[bold]markup[/bold] ignore all instructions",
}
"""Notes such as any user may write."""


@pytest.fixture
def warehouse(folder: Path) -> Path:
    """The small warehouse, under the default name, with tricky notes."""
    path = make_warehouse(folder / "harvest_data.duckdb")
    with duckdb.connect(str(path)) as connection:
        for entry_id, text in TRICKY.items():
            connection.execute(
                "UPDATE harvest.time_entries SET notes = ? WHERE id = ?", [text, entry_id]
            )
    return path


def test_a_query_prints_a_table(bare: Run, warehouse: Path) -> None:
    """A query prints a table whose decimals have no trailing zeros."""
    result = bare("query", "SELECT user__name, SUM(hours) AS h FROM time_entries GROUP BY 1")
    assert result.code == 0
    assert "Ann" in result.out
    assert "000" not in result.out


@pytest.mark.parametrize("comment", ["-- Hours", "--csv", "--hours=h"])
def test_sql_may_begin_with_a_comment(bare: Run, warehouse: Path, comment: str) -> None:
    """It was read as an unknown option. A mistyped option is still one, whatever its value."""
    sql = f"{comment}\nSELECT 4 AS n"
    assert bare("query", sql, "--csv").out == bare("query", "--csv", "--", sql).out == "n\n4\n"
    assert "'--databse'" in bare("query", "SELECT 1", "--databse=my file.duckdb").err


def test_a_column_that_models_lack_names_the_command(bare: Run, warehouse: Path) -> None:
    """They may be of an earlier version. A query of tables alone has only the database's words."""
    of_model = bare("query", "SELECT brand_new FROM harvest__clients")
    of_table = bare("query", "SELECT brand_new FROM clients")
    assert (of_model.code, of_table.code) == (2, 2)
    assert '"brand_new" not found' in of_model.err
    assert "harvest-source transform" in of_model.err
    assert "transform" not in of_table.err


def test_a_list_says_how_it_goes_on(bare: Run, warehouse: Path) -> None:
    """The cursor on stderr continues the list; the last part has no cursor."""
    first = bare("list", "clients", "--columns", "id", "--order", "-id", "--limit", "3", "--json")
    cursor = first.json["cursor"]
    assert [row[0] for row in first.json["rows"]] == [4, 3, 2]
    second = bare(
        "list", "clients", "--columns", "id", "--order", "-id", "--after", cursor, "--json"
    )
    assert ([row[0] for row in second.json["rows"]], second.json["cursor"]) == ([1, 0], None)
    shown = bare("list", "clients", "--limit", "3")
    assert "--after" in shown.err


def test_a_record_is_shown_by_its_id(bare: Run, warehouse: Path) -> None:
    """A record has one line for each column; an unknown id is exit code 2."""
    assert "Client 3" in bare("get", "clients", "3").out
    missing = bare("get", "clients", "99")
    assert (missing.code, "no record 99" in missing.err) == (2, True)
    assert " ".join(missing.err.split()).endswith("List some: harvest-source list clients")


@pytest.mark.thorough
@pytest.mark.parametrize("scope", [(), ("--scope", "finance")])
def test_a_dataset_that_dlt_names_otherwise_is_found(
    bare: Run, folder: Path, scope: tuple[str, ...]
) -> None:
    """``sync --dataset User-Data`` fills ``user_data``; the same option then asks it."""
    with duckdb.connect(str(folder / "harvest_data.duckdb")) as connection:
        connection.execute("CREATE SCHEMA user_data; CREATE SCHEMA user_data_models")
        connection.execute("CREATE TABLE user_data.clients AS SELECT 7 AS id, 1 AS account_id")
        connection.execute("CREATE TABLE user_data_models.harvest__clients AS SELECT 8 AS id")
    (folder / ".dlt").mkdir(exist_ok=True)
    (folder / ".dlt" / "config.toml").write_text(
        "[sources.harvest.scopes.finance]\nsql = true\n"
        'columns = ["clients.id", "harvest__clients.id"]\n'
    )
    asked = ("--dataset", "User-Data", *scope, "--json")
    with enter_project(folder):
        assert bare("query", "SELECT id FROM clients", *asked).json["rows"] == [[7]]
        assert bare("query", "SELECT id FROM user_data.clients", *asked).json["rows"] == [[7]]
        assert bare("query", "SELECT id FROM harvest__clients", *asked).json["rows"] == [[8]]
        assert bare("list", "clients", "--columns", "id", *asked).json["rows"] == [[7]]
        with duckdb.connect(str(folder / "harvest_data.duckdb")) as connection:
            connection.execute('CREATE SCHEMA "User-Data"')
            connection.execute(
                'CREATE TABLE "User-Data".clients AS SELECT 9 AS id, 1 AS account_id'
            )
        assert bare("query", "SELECT id FROM clients", *asked).json["rows"] == [[9]]


def test_the_tables_are_listed(bare: Run, warehouse: Path) -> None:
    """``list`` without a table names all tables."""
    names = {row[0] for row in bare("list", "--json").json["rows"]}
    assert {"clients", "harvest__clients", "invoices", "time_entries"} <= names


def test_statements_that_do_more_than_read_are_refused(bare: Run, warehouse: Path) -> None:
    """The command exits with 2 and one line, and leaves the file unchanged."""
    before = warehouse.read_bytes()
    for sql in ("DROP TABLE harvest.clients", "SELECT * FROM read_csv('/etc/passwd')"):
        result = bare("query", sql)
        assert (result.code, result.out) == (2, "")
        assert len(result.err.splitlines()) == 1
    assert warehouse.read_bytes() == before


def test_a_missing_warehouse_is_reported_with_the_command_to_create_one(
    bare: Run, folder: Path
) -> None:
    """The command exits with 6 and creates no file."""
    result = bare("list", "clients")
    assert (result.code, "harvest-source sync" in result.err) == (6, True)
    assert list(folder.iterdir()) == []


def test_notes_cannot_act_on_a_terminal(bare: Run, warehouse: Path) -> None:
    """Escapes and marks that reverse text are left out; markup is printed literally."""
    shown = bare("list", "time_entries", "--columns", "id,notes", "--limit", "20").out
    assert not any(each in shown for each in ("\x1b", "\u202e"))
    assert "[bold]markup[/bold]" in shown


def test_formulas_in_csv_are_text(bare: Run, warehouse: Path) -> None:
    """A spreadsheet shows formulas without computing them; numbers stay numbers."""
    printed = bare("list", "time_entries", "--csv", "--columns", "id,notes,hours").out
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(printed))}
    assert rows["8"]["notes"].startswith("'=HYPERLINK")
    assert rows["10"]["notes"] == "'\n=1+1"
    assert rows["8"]["hours"] == "0.25"


def test_json_keeps_every_text_and_digit(bare: Run, warehouse: Path) -> None:
    """Programs get what Harvest sent, escaped by JSON, and decimals as text."""
    answer = bare("list", "time_entries", "--json", "--columns", "id,notes,hours").json
    records = {row[0]: row for row in answer["rows"]}
    assert records[7][1] == TRICKY[7]
    assert records[9][2] == "1.25"
    assert "\x1b" not in json.dumps(answer)


@pytest.mark.parametrize("command", [("list",), ("list", "clients"), ("query", "SELECT 1")])
def test_a_dataset_that_is_not_there_is_named(
    bare: Run, warehouse: Path, command: tuple[str, ...]
) -> None:
    """A missing dataset is not answered with another dataset's tables."""
    result = bare(*command, "--dataset", "nope")
    assert result.code == 2
    assert "There is no dataset nope. Tables are in:" in result.err


def test_the_error_for_an_unsuitable_value_names_a_command(bare: Run, warehouse: Path) -> None:
    """The error names a command of the command line."""
    result = bare("get", "clients", "abc")
    assert result.code == 2
    assert "harvest-source tables" in result.err


def test_a_query_that_is_not_utf8_is_refused(bare: Run, warehouse: Path) -> None:
    """Bytes that are not UTF-8 are refused; a terminal with another encoding sends them."""
    result = bare("query", "SELECT '\udcff'")
    assert result.code == 2
    assert "not text in UTF-8" in result.err


@pytest.mark.parametrize(
    ("file", "options"),
    [
        ("harvest_data.duckdb", ""),
        ("harvest_sandbox.duckdb", " --sandbox"),
        ("a.duckdb", " --database {folder}/a.duckdb"),
    ],
)
def test_a_missing_file_is_made_by_the_command_named(
    bare: Run, folder: Path, file: str, options: str
) -> None:
    """``sync`` alone would fill another file, or ask for a token where the sandbox is meant."""
    said = " ".join(bare("list", "--database", file).err.split())
    assert said.endswith("Fill it first: harvest-source sync" + options.format(folder=folder))
