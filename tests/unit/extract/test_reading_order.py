"""Which of a run's tables are read first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from harvest_source.decode.decoder import Decoder
from harvest_source.extract.reading_order import Finished, ReadingOrder, TableFeed
from harvest_source.schema.endpoints import BY_NAME

TABLES = ("billable_rates", "time_entries", "invoice_payments", "invoices")


def feeds(account_id: int, *tables: str) -> list[TableFeed]:
    return [TableFeed(BY_NAME[name], account_id, cast("Decoder", None), {}) for name in tables]


def places(found: Sequence[TableFeed]) -> list[tuple[str, int]]:
    return [(feed.endpoint.name, feed.account_id) for feed in found]


def test_lists_below_parents_wait_for_the_others_of_their_account() -> None:
    """No account waits for another, and a list below a parent releases nothing."""
    order = ReadingOrder([*feeds(1, *TABLES), *feeds(2, *TABLES)])
    assert places(order.first) == [
        ("time_entries", 1), ("invoices", 1), ("time_entries", 2), ("invoices", 2),
    ]  # fmt: skip
    entries, invoices, others, _ = order.first
    assert order.finish(others) == order.finish(invoices) == Finished()
    finished = order.finish(entries)
    assert places(finished.read) == [("time_entries", 1), ("invoices", 1)]
    assert places(finished.released) == [("billable_rates", 1), ("invoice_payments", 1)]
    rates, payments = finished.released
    assert order.finish(payments) == Finished()
    assert order.finish(rates) == Finished(finished.released)


def test_the_last_account_to_finish_its_tables_is_detected() -> None:
    """Accounts without lists below parents, and these lists themselves, do not count."""
    order = ReadingOrder([*feeds(1, *TABLES), *feeds(2, *TABLES), *feeds(3, "invoices")])
    first, last = ([each for each in order.first if each.account_id == n] for n in (1, 2))
    assert [order.finish(feed).is_last for feed in first] == [False, False]
    below = order.finish(last[0]), order.finish(last[1])
    assert [each.is_last for each in below] == [False, True]
    assert not any(order.finish(feed).is_last for feed in below[1].released)


def test_lists_below_parents_begin_at_once_where_nothing_else_is_read() -> None:
    """No other table's end could release them."""
    order = ReadingOrder([*feeds(2, "invoice_payments"), *feeds(1, "invoices")])
    assert places(order.first) == [("invoices", 1), ("invoice_payments", 2)]
    assert order.finish(order.first[0]) == Finished(order.first[:1])
