"""Scopes from the configuration: what they show, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from harvest_source.ask.mcp.tools import TOOLS as SERVED
from harvest_source.ask.revealing import COMPUTED
from harvest_source.ask.row_rules import RULES
from harvest_source.ask.scopes import (
    TOOLS,
    UNLIMITED,
    choose_scope,
    find_declared,
    parse_scope,
    parse_scopes,
)
from harvest_source.errors import ConfigError
from tests.support.children import REPOSITORY

MARTS = REPOSITORY / "harvest_source" / "dbt" / "models" / "marts" / "_harvest__models.yml"


def test_scopes_name_the_tools_that_are_served() -> None:
    """No tool escapes the allow list."""
    assert set(TOOLS) == set(SERVED)


def test_a_scope_of_tools_alone_shows_all_data() -> None:
    """A scope of tools alone limits no data, and new fields appear in it."""
    scope = parse_scope("reader", {"tools": ["sum_time", "query"]})
    assert scope.find_columns("anything") is None
    assert scope.allows("sum_time")
    assert scope.allows("query")
    assert not scope.allows("find")
    assert choose_scope({}, None) is UNLIMITED


def test_columns_are_an_allow_list() -> None:
    """Named columns, or a table's declared columns, are shown; other tables do not exist."""
    scope = parse_scope("hours", {"columns": ["time_entries.id", "clients.*"]})
    assert scope.find_columns("time_entries") == frozenset({"id"})
    of_clients = scope.find_columns("clients") or frozenset()
    assert of_clients >= {"account_id", "name"}
    assert "brand_new" not in of_clients
    assert scope.find_columns("users") == frozenset()
    assert not scope.allows("query")


def test_a_scope_by_person_shows_money_only_if_named() -> None:
    """Harvest shows people their hours, but not what these cost or earn."""
    for kind in ("own", "managed"):
        listed = ["time_entries.*", "users.*", "projects.*"]
        scope = parse_scope("mine", {"rows": kind, "columns": listed})
        shown = {name for table in RULES for name in scope.find_columns(table) or ()}
        assert {"hours", "notes", "email", "code"} <= shown
        assert not [each for each in shown if each.endswith(("_rate", "cost_budget"))]
        assert "fee" not in shown
        named = parse_scope("mine", {"rows": kind, "columns": [*listed, "users.cost_rate"]})
        assert "cost_rate" in (named.find_columns("users") or ())
    everyone = parse_scope("all", {"columns": ["users.*"]})
    assert "cost_rate" in (everyone.find_columns("users") or ())


def test_child_tables_and_models_have_to_be_named() -> None:
    """A model mixes tables, so a scope that names tables does not include models."""
    of_accounts = parse_scope("one", {"accounts": [1]})
    assert of_accounts.find_columns("harvest__budgets") == frozenset()
    assert "amount" in (of_accounts.find_columns("invoices__line_items") or ())
    named = parse_scope("models", {"tables": ["harvest__budgets", "clients"]})
    assert named.find_columns("harvest__budgets") is None
    assert named.find_columns("harvest__clients") == frozenset()


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"table": ["clients"]}, "Did you mean tables"),
        ({"rows": "mine"}, "all, own, managed"),
        ({"rows": "own"}, "needs columns"),
        ({"rows": "own", "columns": ["invoices.*"]}, "has no rule for invoices"),
        ({"tables": "clients"}, "list of names"),
        ({"tables": ["client"]}, "Did you mean clients"),
        ({"columns": ["name"]}, "clients.name"),
        ({"columns": ["clients.nam"]}, "Did you mean name"),
        ({"tables": ["clients"], "columns": ["users.id"]}, "columns names none of clients"),
        ({"tools": ["sql"]}, "names in tools"),
        ({"accounts": ["x"]}, "account ids"),
        ({"accounts": [True]}, "account ids"),
        ({"sql": "yes"}, "true or false"),
        ({"columns": ["harvest__budgets.*"]}, "one by one"),
        (
            {"columns": ["harvest__profitability_monthly.margin"]},
            "computed from time_entries.cost_rate",
        ),
        ("clients", "is not a section"),
    ],
    ids=str,
)
def test_an_invalid_scope_is_refused(keys: Any, words: str) -> None:
    """A scope that cannot work is an error before anything is served, not a wider scope."""
    with pytest.raises(ConfigError) as caught:
        parse_scopes({"test": keys})
    assert words in str(caught.value)
    assert "test" in str(caught.value)


def test_no_column_of_a_model_reveals_a_cost_that_is_hidden() -> None:
    """A model's column whose description mentions cost or margin requires the cost rate shown."""
    models = yaml.safe_load(MARTS.read_text())["models"]
    for model in models:
        for column in model["columns"]:
            name = f"{model['name']}.{column['name']}"
            words = column.get("description", "").lower()
            if "cost rate" not in words and "margin" not in words:
                continue
            if "currency of the account" in words or column["data_type"] == "boolean":
                continue
            if "without" in column["name"]:
                continue  # It says how much has no rate, but reveals none.
            with pytest.raises(ConfigError, match="is computed from"):
                parse_scope("test", {"columns": [name]})
            shown = [name, "time_entries.cost_rate", "time_entries.billable_rate"]
            parse_scope("test", {"columns": shown})


@pytest.mark.parametrize(
    ("shown", "hidden"),
    [
        ("harvest__budgets.spent", "billable_rate"),
        ("harvest__revenue_monthly.work_value", "billable_rate"),
        ("harvest__time_entries.billable_rate", "billable_rate"),
        ("stg_harvest__time_entries.cost_rate", "cost_rate"),
        ("report_time_team.*", "billable_rate"),
    ],
)
def test_a_rate_and_values_computed_from_it_are_shown_together(shown: str, hidden: str) -> None:
    """Whatever the model calls the rate; a margin requires both rates."""
    with pytest.raises(ConfigError, match=f"computed from time_entries.{hidden}"):
        parse_scope("test", {"columns": [shown]})
    parse_scope("test", {"columns": [shown, f"time_entries.{hidden}"]})
    margin = "harvest__profitability_monthly.margin"
    with pytest.raises(ConfigError, match="billable_rate"):
        parse_scope("test", {"columns": [margin, "time_entries.cost_rate"]})


def test_columns_that_reveal_rates_exist_in_their_models() -> None:
    """If a column was renamed, its rate would be shown unnoticed."""
    for table, names in COMPUTED["time_entries.billable_rate"].items():
        assert not table.startswith("report_") or names <= find_declared(table)
    models = yaml.safe_load(MARTS.read_text())["models"]
    columns = {model["name"]: {each["name"] for each in model["columns"]} for model in models}
    for computed in COMPUTED.values():
        for model, names in computed.items():
            assert not model.startswith("harvest__") or names <= columns[model]


def test_an_unknown_scope_is_refused() -> None:
    """The error names the scopes that exist."""
    with pytest.raises(ConfigError, match="hours"):
        choose_scope(parse_scopes({"hours": {"tables": ["clients"]}}), "hour")
