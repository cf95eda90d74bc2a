"""Values in the configuration and on the command line, as people write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pendulum
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.config.lists import parse_list, parse_values
from harvest_source.config.parse import (
    parse_account_ids,
    parse_accounts,
    parse_audit_requests,
    parse_date,
    parse_destination_wait,
    parse_exclude,
    parse_full_walk,
    parse_history,
    parse_include,
    parse_keep_deleted,
    parse_keep_deleted_days,
    parse_keep_runs_days,
    parse_overlap,
    parse_rate_limit,
    parse_share,
    parse_shrink_file,
    parse_tables,
)
from harvest_source.errors import ConfigError
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS, SECRET_COLUMNS

RATE, DEFAULT_RATE = "users.cost_rate", "users.default_hourly_rate"

SPELLINGS: list[Any] = [
    ["{0}", "{1}"],
    ("{0}", "{1}"),
    "{0},{1}",
    " {0} , {1} ",
    '["{0}", "{1}"]',
    '["{0}","{1}"]',
    "['{0}', '{1}']",
    "[{0}, {1}]",
]
"""Every way to write a list of two items."""


def spell(form: Any, *items: str) -> Any:
    """A list of *items* written as *form*."""
    if isinstance(form, str):
        return form.format(*items)
    return type(form)(each.format(*items) for each in form)


@pytest.mark.parametrize("form", SPELLINGS)
def test_every_setting_reads_lists_alike(form: Any) -> None:
    """All list settings accept the same spellings: the environment can hold only text."""
    assert parse_list(spell(form, "a", "b")) == ["a", "b"]
    assert parse_account_ids(spell(form, "7", "8")) == (7, 8)
    assert parse_exclude(spell(form, RATE, DEFAULT_RATE)) == {RATE, DEFAULT_RATE}
    one, other = sorted(SECRET_COLUMNS)[:2]
    assert parse_include(spell(form, one, other)) == {one, other}
    assert parse_history(spell(form, "projects", "clients")) == {"projects", "clients"}


@pytest.mark.parametrize("value", [None, "", "  ", "[]", "[ ]", [], ()])
def test_an_empty_list_names_nothing(value: Any) -> None:
    """For names, an empty key is the same as no key."""
    assert parse_list(value) == []
    assert parse_exclude(value) == parse_include(value) == parse_history(value) == frozenset()


def test_a_value_that_is_not_a_list_is_one_item() -> None:
    """A number in a TOML file is a list of one."""
    assert parse_list(7) == [7]
    assert parse_list("a") == ["a"]


def test_blank_names_are_dropped() -> None:
    """An extra comma adds no name."""
    assert parse_exclude(f"{RATE}, ,") == {RATE}


@pytest.mark.parametrize(
    "name", ["users", "users.nothing", "nowhere.id", "users.", ".id", "x" * 999]
)
def test_columns_that_are_not_there_cannot_be_excluded(name: str) -> None:
    """A misspelt name would leave the column in, so it is refused, and cut in the message."""
    with pytest.raises(ConfigError, match="harvest-source tables") as caught:
        parse_exclude(name)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", ["users.id", "users.updated_at", "time_entries.spent_date"])
def test_columns_that_reading_needs_cannot_be_excluded(name: str) -> None:
    """Without key, cursor or date, rows cannot be merged, or are lost."""
    with pytest.raises(ConfigError, match="cannot be excluded"):
        parse_exclude([name])


@pytest.mark.parametrize("name", ["clients.name", "nowhere.client_key", "client_key"])
def test_only_columns_excluded_by_default_can_be_included(name: str) -> None:
    """The message lists the columns that can be included."""
    with pytest.raises(ConfigError, match=r"invoices\.client_key"):
        parse_include([name])


@pytest.mark.parametrize("name", ["time_entries", "nowhere", "company"])
def test_tables_that_cannot_have_history_are_refused(name: str) -> None:
    """A table dated by itself, or unknown, is refused with the names that work."""
    with pytest.raises(ConfigError, match="projects"):
        parse_history([name])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("", None),
        ("2024-01-31", date(2024, 1, 31)),
        ("20240131", date(2024, 1, 31)),
        (date(2024, 1, 31), date(2024, 1, 31)),
        (datetime(2024, 1, 31, 23, 59), date(2024, 1, 31)),  # noqa: DTZ001 - as TOML has it
        (pendulum.datetime(2024, 1, 31, 23), date(2024, 1, 31)),
    ],
)
def test_a_day_may_be_text_or_a_toml_date(value: Any, expected: date | None) -> None:
    """A day is text, or a TOML date or datetime; its time of day is dropped."""
    day = parse_date(value, "start_date")
    assert day == expected
    assert type(day) in (date, type(None))


@pytest.mark.parametrize(
    "value", ["yesterday", "2024-02-30", "2024-01-31T10:00:00Z", "31.01.2024", "P1D", 0, True, " "]
)
def test_an_invalid_day_is_refused(value: Any) -> None:
    """The error names the setting, and a day that would work."""
    with pytest.raises(ConfigError, match=r"start_date is not a day: .* 2024-01-31"):
        parse_date(value, "start_date")


@given(st.text(max_size=30))
def test_any_text_is_a_day_or_refused(text: str) -> None:
    """No text causes a traceback."""
    with suppress(ConfigError):
        assert type(parse_date(text, "start_date")) in (date, type(None))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("20%", "0.2"),
        ("20", "0.2"),
        (" 20 % ", "0.2"),
        ("0", "0"),
        ("100%", "1"),
        ("0.5%", "0.005"),
    ],
)
def test_a_percentage_is_exact_with_or_without_a_sign(value: str, expected: str) -> None:
    """A percentage has a sign or not, and is exact."""
    assert parse_share(value) == Decimal(expected)


@pytest.mark.parametrize("value", ["", "-1", "101", "a lot", "20%%", "nan", "inf", None, "1" * 999])
def test_an_invalid_percentage_is_refused(value: Any) -> None:
    """A share outside 0..100 % would disable the guard, or block every removal."""
    with pytest.raises(ConfigError, match="--max-deletes is not a percentage"):
        parse_share(value)


def test_tables_by_name_keep_the_order_of_the_endpoint_table() -> None:
    """Parents precede children in any given order; without names, the defaults apply."""
    assert [each.name for each in parse_tables(["clients", "time_entries"])] == [
        "time_entries",
        "clients",
    ]
    assert parse_tables(()) == DEFAULT_ENDPOINTS


def test_an_unknown_table_is_refused() -> None:
    """The message lists the tables."""
    with pytest.raises(ConfigError, match=r"no table 'entries'.*time_entries"):
        parse_tables(["clients", "entries"])


@pytest.mark.parametrize(("value", "expected"), [(60, 60), (300, 300), (10**9, 10**9)])
def test_an_overlap_is_a_minute_or_more(value: int, expected: int) -> None:
    """The overlap is in seconds."""
    assert parse_overlap(value) == timedelta(seconds=expected)


@pytest.mark.parametrize(
    ("parse", "value", "says"),
    [
        (parse_overlap, 59, "under 60 s rows can be lost"),
        (parse_overlap, -1, "under 60 s"),
        (parse_overlap, 10**12, "overlap is too large"),
        (parse_full_walk, 0, "full_walk is 0. It has to be a number of days, 1 or more"),
        (parse_full_walk, 10**9, "full_walk is too large"),
        (parse_destination_wait, -1, "destination_wait is -1 s"),
        (parse_audit_requests, -1, "audit_requests is -1. It cannot be below 0"),
        (parse_keep_deleted_days, -1, "keep_deleted_days is -1"),
        (parse_keep_deleted_days, 10**9, "keep_deleted_days is too large"),
        (parse_keep_runs_days, -1, "keep_runs_days is -1"),
        (parse_keep_runs_days, 10**9, "keep_runs_days is too large"),
        (parse_keep_deleted, "all", '"records" or "ids"'),
        (parse_keep_deleted, 5, '"records" or "ids"'),
        (parse_shrink_file, True, '"daily" or "never"'),
    ],
)
def test_numbers_out_of_range_are_refused(parse: Any, value: Any, says: str) -> None:
    """The error names the setting, before a date overflows or a loop never waits."""
    with pytest.raises(ConfigError) as caught:
        parse(value)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("parse", "name"),
    [
        (parse_overlap, "overlap"),
        (parse_full_walk, "full_walk"),
        (parse_destination_wait, "destination_wait"),
        (parse_audit_requests, "audit_requests"),
        (parse_keep_deleted_days, "keep_deleted_days"),
        (parse_keep_runs_days, "keep_runs_days"),
        (parse_rate_limit, "rate_limit"),
    ],
)
@pytest.mark.parametrize("value", ["300", 300.0, True, [300]])
def test_a_value_that_is_not_an_integer_is_refused(parse: Any, name: str, value: Any) -> None:
    """Values given in Python are not converted like a provider's; a wrong type is a clear error."""
    with pytest.raises(ConfigError, match=f"{name} is not a whole number"):
        parse(value)


def test_numbers_within_range_are_accepted() -> None:
    """The smallest numbers work, and None where a setting is optional."""
    assert parse_full_walk(1) == timedelta(days=1)
    assert parse_destination_wait(0) == 0
    assert parse_audit_requests(0) == 0
    assert (parse_keep_deleted_days(None), parse_keep_deleted_days(0)) == (None, 0)
    assert (parse_rate_limit(None), parse_rate_limit(50)) == (None, 50)
    assert (parse_keep_deleted("records"), parse_keep_deleted("ids")) == (True, False)
    assert (parse_shrink_file("daily"), parse_shrink_file("never")) == (True, False)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, (1,)),
        ("1", (1,)),
        (" 1 ", (1,)),
        ("1,2", (1, 2)),
        ("1 , 2", (1, 2)),
        ("[1, 2]", (1, 2)),
        ('["1", "2"]', (1, 2)),
        ("[1]", (1,)),
        ([1, 2], (1, 2)),
        (["1", 2], (1, 2)),
        ((2, 1), (2, 1)),
        ([1, "1", 1], (1,)),
        (None, ()),
        ("9223372036854775807", (2**63 - 1,)),
        ("0001", (1,)),
    ],
)
def test_ids_are_read_as_people_write_them(value: object, expected: tuple[int, ...]) -> None:
    """Ids are kept in order, each once."""
    assert parse_account_ids(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "[]",
            ",",
            "1,",
            "1,,2",
            "12a",
            "1 2",
            "-1",
            "+1",
            "0",
            0,
            -1,
            "1.0",
            1.0,
            "1e3",
        ),
        *(
            "\u0661",
            "\u00b2",
            True,
            [],
            [[1]],
            {},
            {"1": 1},
            b"1",
            object(),
            [None],
            2**63,
            "9" * 30,
        ),
    ],
)
def test_an_invalid_account_id_is_refused(value: object) -> None:
    """They are refused early, by the setting's name: Harvest would only answer 401."""
    with pytest.raises(ConfigError, match="account_id"):
        parse_account_ids(value)


@pytest.mark.parametrize(
    "value", ["1234567.pt.very-secret", " 1234567.pt.very-secret ", ["1234567.pt.very-secret"]]
)
def test_a_token_in_the_wrong_place_is_recognised(value: object) -> None:
    """Harvest's own samples once had the two swapped. The token is not repeated."""
    with pytest.raises(ConfigError, match="account_id holds an access token") as caught:
        parse_account_ids(value)
    assert "very-secret" not in str(caught.value)


def test_another_secret_in_the_wrong_place_is_not_repeated() -> None:
    """OAuth tokens have no recognisable form."""
    with pytest.raises(ConfigError) as caught:
        parse_account_ids("very-secret")
    assert "very-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "value",
    ["clients", "clients,", ["clients"], {"clients"}, map(str, ["clients"]), {"clients": 1}.keys()],
)
def test_a_single_table_may_be_given_in_any_form(value: Any) -> None:
    """A string is one name, not its letters; an iterator that can be read only once works too."""
    assert [each.name for each in parse_tables(value)] == ["clients"]


@pytest.mark.parametrize("value", [12, "12", [12], {"12"}, iter(["12"])])
def test_a_single_account_may_be_given_in_any_form(value: Any) -> None:
    """A number is one account, not its digits."""
    assert parse_accounts(value) == (12,)


@pytest.mark.parametrize("value", ["", " ", [""], ["clients", " "], ("",)])
def test_an_empty_value_differs_from_an_omitted_one(value: Any) -> None:
    """With an unset shell variable, every table would be read, or no column excluded."""
    with pytest.raises(ConfigError, match="exclude has an empty value"):
        parse_values(value, "exclude")


@pytest.mark.parametrize("value", [None, (), [], iter(())])
def test_an_empty_collection_counts_as_omitted(value: Any) -> None:
    """An empty collection counts as left out."""
    assert parse_values(value, "exclude") == []
