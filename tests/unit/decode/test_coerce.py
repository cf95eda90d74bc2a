"""A value fits its column unchanged, or goes to ``__v_text`` as exact text."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvest_source.decode.coerce import (
    Misfit,
    as_text,
    dumps,
    fit,
    flatten,
    infer_type,
    loads,
    variant,
)
from harvest_source.schema.columns import Type

BEYOND = "1e999999999999999999999"


def parsed(text: str) -> Any:
    return loads(text.encode())


@pytest.mark.parametrize(
    ("column_type", "sent", "fitted"),
    [
        (Type.BIGINT, "7", 7),
        (Type.BIGINT, '"7"', 7),
        (Type.BIGINT, '"-7"', -7),
        (Type.BIGINT, "7.0", 7),
        (Type.BIGINT, "7e2", 700),
        (Type.BIGINT, "9223372036854775807", 2**63 - 1),
        (Type.BIGINT, "-9223372036854775808", -(2**63)),
        (Type.DECIMAL, "0.1", Decimal("0.1")),
        (Type.DECIMAL, "1.50", Decimal("1.5")),
        (Type.DECIMAL, '"1.50"', Decimal("1.5")),
        (Type.DECIMAL, "-0.0", Decimal(0)),
        (Type.DECIMAL, "0e500", Decimal(0)),
        (Type.DECIMAL, "1e28", Decimal(10**28)),
        (Type.DECIMAL, "1.00000000000000000000", Decimal(1)),
        (Type.DECIMAL, "9" * 29 + ".999999999", Decimal("9" * 29 + ".999999999")),
        (Type.DECIMAL, "1e-9", Decimal("0.000000001")),
        (Type.TEXT, '""', ""),
        (Type.TEXT, "1.50", "1.50"),
        (Type.TEXT, "true", "true"),
        (Type.TEXT, '"a\\u0000b"', "a\0b"),
        (Type.TEXT, '"\\ud800"', "\\ud800"),
        (Type.BOOL, "true", True),
        (Type.DATE, '"0001-01-01"', date.min),
        (Type.DATE, '"9999-12-31"', date.max),
        (Type.TIMESTAMP, '"2024-03-01T12:00:00Z"', datetime(2024, 3, 1, 12, tzinfo=UTC)),
        (
            Type.TIMESTAMP,
            '"2024-03-01T12:00:00.5+02:00"',
            datetime(2024, 3, 1, 10, 0, 0, 500_000, UTC),
        ),
        (Type.JSON, "[1.50,null]", "[1.50,null]"),
    ],
)
def test_values_that_fit_are_unchanged(column_type: Type, sent: str, fitted: Any) -> None:
    """A column holds these values unchanged, including text that spells a number."""
    found = fit(parsed(sent), column_type)
    assert found == fitted
    assert type(found) is type(fitted)


@pytest.mark.parametrize(
    ("column_type", "sent", "text"),
    [
        (Type.BIGINT, "9223372036854775808", "9223372036854775808"),
        (Type.BIGINT, "1.5", "1.5"),
        (Type.BIGINT, "1e400", "1E+400"),
        (Type.BIGINT, '"007"', "007"),
        (Type.BIGINT, '"-007"', "-007"),
        (Type.BIGINT, '"+7"', "+7"),
        (Type.BIGINT, '"1e2"', "1e2"),
        (Type.BIGINT, '"\u0667"', "\u0667"),
        (Type.BIGINT, "true", "true"),
        (Type.DECIMAL, "1e-10", "1E-10"),
        (Type.DECIMAL, "1e29", "1E+29"),
        (Type.DECIMAL, "0.12345678901234567890", "0.12345678901234567890"),
        (Type.DECIMAL, "9" * 60, "9" * 60),
        (Type.DECIMAL, BEYOND, BEYOND),
        (Type.DECIMAL, '"1_000"', "1_000"),
        (Type.DECIMAL, '" 1"', " 1"),
        (Type.DECIMAL, '"NaN"', "NaN"),
        (Type.DECIMAL, f'"{BEYOND}"', BEYOND),
        (Type.DECIMAL, '""', ""),
        (Type.TEXT, '["a"]', '["a"]'),
        (Type.BOOL, "1", "1"),
        (Type.BOOL, '"true"', "true"),
        (Type.DATE, '"2024-02-30"', "2024-02-30"),
        (Type.DATE, '"0000-00-00"', "0000-00-00"),
        (Type.DATE, '"20240301"', "20240301"),
        (Type.DATE, '"2024-W10-5"', "2024-W10-5"),
        (Type.TIMESTAMP, '"2024-03-01T12:00:00"', "2024-03-01T12:00:00"),
        (Type.TIMESTAMP, '"2024-03-01"', "2024-03-01"),
        (Type.TIMESTAMP, '"0001-01-01T00:00:00+14:00"', "0001-01-01T00:00:00+14:00"),
        (Type.TIMESTAMP, '"2024-03-01T12:00:00.1234567Z"', "2024-03-01T12:00:00.1234567Z"),
        (Type.TIMESTAMP, "1709294400", "1709294400"),
        (Type.JSON, "5", "5"),
        (Type.JSON, '"[5]"', "[5]"),
    ],
)
def test_values_that_do_not_fit_become_exact_text(column_type: Type, sent: str, text: str) -> None:
    """Nothing is rounded, guessed or truncated to make it fit."""
    assert fit(parsed(sent), column_type) == Misfit(text)


@pytest.mark.parametrize("column_type", Type)
def test_null_fits_everywhere(column_type: Type) -> None:
    """Null is null in every column."""
    assert fit(None, column_type) is None


NUMBERS = st.from_regex(
    re.compile(r"-?(0|[1-9]\d{0,45})(\.\d{1,25})?([eE][+-]?\d{1,4})?", re.A), fullmatch=True
)


def decimal_of(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None


@given(NUMBERS, st.sampled_from([Type.BIGINT, Type.DECIMAL]), st.booleans())
def test_numbers_keep_their_value(text: str, column_type: Type, as_string: bool) -> None:
    """A number, however written, is in its column with the same value, or beside it as text."""
    fitted = fit(parsed(json.dumps(text) if as_string else text), column_type)
    kept = fitted.text if isinstance(fitted, Misfit) else fitted
    assert Decimal(kept) == Decimal(text)
    if isinstance(fitted, Misfit) and as_string:
        assert kept == text
    if isinstance(fitted, Decimal):
        scaled = fitted.as_tuple()
        assert isinstance(scaled.exponent, int)
        assert scaled.exponent >= -9
        assert len(scaled.digits) + max(scaled.exponent, 0) <= 38


@given(st.text(st.sampled_from("0123456789+-.eE_ ")), st.sampled_from(Type))
def test_text_that_looks_like_a_number_keeps_its_value(text: str, column_type: Type) -> None:
    """Text counts as a number only if it spells one; otherwise it stays unchanged."""
    fitted = fit(text, column_type)
    if isinstance(fitted, Misfit):
        assert fitted.text == text
    elif isinstance(fitted, int | Decimal):
        assert decimal_of(text) == fitted
    else:
        assert fitted == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_json_text_means_what_was_parsed(value: Any) -> None:
    """An array's JSON text parses back to the same value, lone surrogates included."""
    assert json.loads(dumps(parsed(json.dumps(value)))) == value
    as_text(parsed(json.dumps(value))).encode()


@given(NUMBERS)
def test_numbers_in_json_text_keep_their_value(text: str) -> None:
    """No digit is lost inside arrays either."""
    (number,) = json.loads(dumps([parsed(text)]), parse_float=Decimal, parse_int=Decimal)
    assert number == Decimal(text)


def test_a_number_too_large_for_decimal_keeps_its_digits() -> None:
    """An exponent too large for Decimal is kept digit by digit, and unquoted in arrays."""
    assert dumps(parsed(f"[{BEYOND}]")) == f"[{BEYOND}]"
    assert infer_type(parsed(BEYOND)) is Type.DECIMAL


def test_a_member_sent_twice_is_kept_twice() -> None:
    """JSON allows it; we cannot decide which one Harvest means."""
    assert dumps(parsed('[{"a":1,"a":2}]')) == '[{"a":1,"a":2}]'
    assert list(flatten(parsed('{"a":1,"a":2}'), str)) == [("a", ("a",), 1), ("a", ("a",), 2)]
    twice = '{"a":{"b":1},"a":{"c":2}}'
    assert [column for column, _, _ in flatten(parsed(twice), str)] == ["a__b", "a__c"]


def test_objects_flatten_under_the_destinations_names() -> None:
    """Members are joined by two underscores; the path keeps Harvest's own names."""
    row = parsed('{"Id":1,"Client":{"Name":"x","deep":{"":null}},"empty":{},"list":[{}]}')
    assert list(flatten(row, str.lower)) == [
        ("id", ("Id",), 1),
        ("client__name", ("Client", "Name"), "x"),
        ("client__deep__x", ("Client", "deep", ""), None),
        ("list", ("list",), [{}]),
    ]


@pytest.mark.parametrize(
    ("sent", "learned"),
    [
        ("1", Type.DECIMAL),
        ("1.5", Type.DECIMAL),
        ("true", Type.BOOL),
        ('"x"', Type.TEXT),
        ('"12"', Type.TEXT),
        ('"2024-03-01"', Type.TEXT),
        ('"2024-03-01T12:00:00Z"', Type.TIMESTAMP),
        ("[]", Type.JSON),
    ],
)
def test_the_first_value_decides_the_type_of_a_column(sent: str, learned: Type) -> None:
    """A number gives a decimal, as the next may have a fraction; others give their own type."""
    assert infer_type(parsed(sent)) is learned
    assert not isinstance(fit(parsed(sent), learned), Misfit)


def test_a_misfit_column_has_no_misfit_column_of_its_own() -> None:
    """A misfit in a misfit's column gets no third column name."""
    assert variant("hours") == "hours__v_text"
    assert variant("hours__v_text") == "hours__v_text"
