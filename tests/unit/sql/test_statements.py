"""How our statements are written."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from harvest_source.sql import statements
from harvest_source.sql.conditions import (
    EVERY_ROW,
    AllOf,
    AnyOf,
    Condition,
    Equals,
    InTable,
    NoneOf,
    OneOf,
    Within,
)
from harvest_source.sql.dialects import DIALECTS, Dialect, find_dialect


class Backticks:
    """Names as MySQL, BigQuery and Databricks quote them, where "x" is a text."""

    def table(self, name: str) -> str:
        return f"`data`.`{name}`"

    def column(self, name: str) -> str:
        return f"`{name}`"


ID = Equals("id", 7)
DAY = date(2024, 1, 31)


@pytest.mark.parametrize(
    ("condition", "text", "parameters"),
    [
        (ID, "`id` = %s", [7]),
        (Equals("valid_to", None), "`valid_to` IS NULL", []),
        (OneOf("id", [1, 2]), "`id` IN (%s, %s)", [1, 2]),
        (OneOf("id", []), "1 = 0", []),
        (NoneOf("id", ["a"]), "`id` NOT IN (%s)", ["a"]),
        (NoneOf("id", []), "1 = 1", []),
        (Within("from", DAY, None), "`from` IS NOT NULL AND `from` >= %s", [DAY]),
        (
            Within("to", DAY, DAY),
            "`to` IS NOT NULL AND `to` >= %s AND `to` < %s",
            [DAY, DAY],
        ),
        (Within("day", None, None), "`day` IS NOT NULL", []),
        (EVERY_ROW, "1 = 1", []),
        (AnyOf(), "1 = 0", []),
        (
            AllOf(ID, AnyOf(Equals("a", 1), Equals("b", 2))),
            "(`id` = %s) AND ((`a` = %s) OR (`b` = %s))",
            [7, 1, 2],
        ),
        (
            InTable("_dlt_root_id", "invoices", "_dlt_id", ID),
            "`_dlt_root_id` IN (SELECT `_dlt_id` FROM `data`.`invoices` WHERE `id` = %s)",
            [7],
        ),
        (
            InTable("id", "clients", "id", EVERY_ROW, negated=True),
            "`id` NOT IN (SELECT `id` FROM `data`.`clients` WHERE 1 = 1)",
            [],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_conditions_quote_names_and_pass_values_as_parameters(
    condition: Condition, text: str, parameters: list[Any]
) -> None:
    """The destination quotes names; values are parameters in the order of their placeholders."""
    assert condition.render(Backticks()) == (text, parameters)
    assert text.count("%s") == len(parameters)


NAMES = Backticks()
MYSQL = find_dialect("mysql")


def test_a_selection_has_only_the_requested_clauses() -> None:
    """Order, direction and limit appear only if they are given."""
    assert statements.select(NAMES, "t", ID, ("a", "b")) == (
        "SELECT `a`, `b` FROM `data`.`t` WHERE `id` = %s",
        [7],
    )
    text, _ = statements.select(
        NAMES, "t", ID, ("a",), order_by=("b", "c"), descending=True, limit=("TOP 1", "LIMIT 1")
    )
    assert text == (
        "SELECT TOP 1 `a` FROM `data`.`t` WHERE `id` = %s ORDER BY `b` DESC, `c` DESC LIMIT 1"
    )


def test_groups_are_named_instead_of_numbered() -> None:
    """SQL Server accepts no ordinals in GROUP BY."""
    text, _ = statements.count_by(NAMES, "t", EVERY_ROW, ("a", "b"))
    assert text == "SELECT `a`, `b`, COUNT(*) FROM `data`.`t` WHERE 1 = 1 GROUP BY `a`, `b`"


def test_digests_are_of_all_columns_that_are_named() -> None:
    """DuckDB computes them, so that no row is fetched whole."""
    groups = (("b", "c"), ("d",))
    found = statements.select_digests(NAMES, find_dialect("duckdb"), "t", ID, ("a",), groups)
    both = "hash(`b`, `c`), hash(`d`)"
    assert found == (f"SELECT `a`, {both} FROM `data`.`t` WHERE `id` = %s", [7])


def test_parameters_come_in_the_order_of_their_marks() -> None:
    """The new values come first, then those of the condition."""
    text, values = statements.update(NAMES, MYSQL, "t", {"a": 1, "b": None}, Equals("id", 2))
    assert (text, values) == (
        "UPDATE `data`.`t` SET `a` = %s, `b` = %s WHERE `id` = %s",
        [1, None, 2],
    )
    assert statements.assign(NAMES, MYSQL, "t", "a", "b", {"x": 1, "y": 2}) == (
        "UPDATE `data`.`t` SET `a` = CASE `b` WHEN %s THEN %s WHEN %s THEN %s END "
        "WHERE `b` IN (%s, %s)",
        ["x", 1, "y", 2, "x", "y"],
    )
    assert statements.insert(NAMES, "t", ("a", "b"), 2) == (
        "INSERT INTO `data`.`t` (`a`, `b`) VALUES (%s, %s), (%s, %s)"
    )


@pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda each: each.name)
def test_every_deletion_has_a_condition(dialect: Dialect) -> None:
    """BigQuery refuses DELETE without WHERE."""
    text, _ = statements.delete(NAMES, dialect, "t", EVERY_ROW)
    assert text == "DELETE FROM `data`.`t` WHERE 1 = 1"


@pytest.mark.parametrize(
    ("dialect", "texts"),
    [
        (
            "duckdb",
            [r"COMMENT ON TABLE `data`.`t` IS 'it''s';COMMENT ON COLUMN `data`.`t`.`c` IS 'a\b'"],
        ),
        (
            "snowflake",
            [
                "COMMENT ON TABLE `data`.`t` IS 'it''s'",
                r"COMMENT ON COLUMN `data`.`t`.`c` IS 'a\\b'",
            ],
        ),
        ("bigquery", [r"ALTER TABLE `data`.`t` SET OPTIONS (description = 'it\'s')"]),
        ("mysql", ["ALTER TABLE `data`.`t` COMMENT = 'it''s'"]),
        ("sqlite", []),
    ],
)
def test_comments_are_sent_as_the_client_accepts_them(dialect: str, texts: list[str]) -> None:
    """Comments are sent at once if the client accepts several statements, else singly, or never."""
    given = {"": "it's", "c": r"a\b"}
    assert list(statements.set_comments(NAMES, find_dialect(dialect), "t", given)) == texts
