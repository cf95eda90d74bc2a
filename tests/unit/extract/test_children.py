"""Children of changed parents, and sweeps over all parents, a part per run."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from harvest_source.auth.sessions import Owner
from harvest_source.extract.cursor import Cursor, load_cursor
from harvest_source.extract.options import Reread
from harvest_source.extract.parent_sweep import SWEEP_MOST, SWEEP_PARENTS, ParentSweep
from harvest_source.extract.removals import PENDING_REMOVALS
from harvest_source.extract.run_log import RunLog, UnaskedParents
from harvest_source.extract.slice_reader import ListPage
from harvest_source.extract.strategies import read
from harvest_source.schema.endpoints import BY_NAME
from tests.support.model import ModelPage
from tests.support.scripted_lists import NOON, FixedClient, build_task

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)


PAYMENTS = BY_NAME["invoice_payments"]


def payment(number: int) -> str:
    return f'{{"id": {number}}}'


def build_client(parents: int) -> FixedClient:
    """A client with invoices of one payment each."""
    lists = {f"invoices/{each}/payments": f"[{payment(each)}]" for each in range(1, parents + 1)}
    lists["invoices"] = "[" + ",".join(payment(each) for each in range(1, parents + 1)) + "]"
    return FixedClient(lists)


def test_a_first_read_asks_all_of_few_parents() -> None:
    """The sweep counts as finished, the cursor is the parents', and rows have their parent's id."""
    state: dict[str, Any] = {}
    task = build_task(build_client(50), PAYMENTS, state=state, now=NOW)
    rows = [row for table in read(task) for row in table.to_pylist()]
    assert [(row["id"], row["invoice_id"]) for row in rows] == [(i, i) for i in range(1, 51)]
    cursor = load_cursor(state["cursor"])
    assert cursor is not None
    assert cursor.at == NOON
    assert ParentSweep.load(state["walk"]) == ParentSweep.whole(50, NOW)
    assert task.run_log.whole == {("invoice_payments", 1)}
    assert task.run_log.unasked == {}


def invoice(number: int, **fields: Any) -> str:
    """A row of the list of invoices; it is paid unless *fields* say otherwise."""
    given = {"amount": 10.0, "due_amount": 0.0, "paid_at": "2026-01-02T00:00:00Z"} | fields
    return json.dumps({"id": number, "updated_at": "2026-01-02T00:00:00Z", **given})


def test_a_first_read_asks_a_tenth_and_later_runs_the_rest() -> None:
    """The newest go first; the run says what waits, and after all are asked nothing waits."""
    client = build_client(520)
    client.lists["invoices"] = "[" + ",".join(invoice(each) for each in range(1, 521)) + "]"
    client.lists["invoices?changed"] = "[]"
    state: dict[str, Any] = {}

    def ask(now: datetime, **options: Any) -> tuple[list[int], RunLog]:
        task = build_task(client, PAYMENTS, state=state, now=now, **options)
        rows = [row for table in read(task) for row in table.to_pylist()]
        return sorted({row["invoice_id"] for row in rows}), task.run_log

    asked, log = ask(NOW)
    assert asked == [*range(469, 521)]
    assert log.unasked == {("invoice_payments", 1): UnaskedParents(468, 520, NOW + 7 * DAY)}
    assert log.whole == set(), "a full refresh must remove no payment that it did not ask for"
    seen, now = set(asked), NOW
    while log.unasked:
        now += DAY
        asked, log = ask(now)
        seen |= {*asked}
    assert seen == {*range(1, 521)}
    assert now <= NOW + 7 * DAY


def test_a_first_sweep_asks_parents_without_children_if_they_changed_since_it_began() -> None:
    """A run may have asked one in the meantime, when it still had the payment that is gone now."""
    client, state = build_client(520), dict[str, Any]()
    client.lists["invoices"] = "[" + ",".join(invoice(each) for each in range(1, 521)) + "]"
    client.lists["invoices?changed"] = "[]"
    list(read(build_task(client, PAYMENTS, state=state, now=NOW)))
    unpaid = {"due_amount": 10.0, "paid_at": None}
    rows = {each: invoice(each) for each in range(1, 521)}
    rows[99] = invoice(99, **unpaid)
    rows[100] = invoice(100, **unpaid, updated_at="2026-11-22T13:00:00Z")
    client.lists["invoices"] = "[" + ",".join(rows.values()) + "]"
    for days in range(1, 9):
        list(read(build_task(client, PAYMENTS, state=state, now=NOW + days * DAY)))
        if ParentSweep.load(state["walk"]).began is None:
            break
    assert "invoices/1/payments" in client.asked, "the sweep has ended"
    assert "invoices/99/payments" not in client.asked
    assert "invoices/100/payments" in client.asked


def test_a_parent_that_has_children_again_owes_no_removal() -> None:
    """Plain dlt carries out none: a later sync would remove the payments loaded in the meantime."""
    client, state = build_client(2), dict[str, Any]()
    client.lists["invoices/1/payments"] = "[]"
    client.lists["invoices/2/payments"] = "[]"
    client.lists["invoices?changed"] = f"[{payment(1)}]"
    for _ in range(2):
        list(read(build_task(client, PAYMENTS, state=state, now=NOW)))
    assert [each["values"] for each in state[PENDING_REMOVALS]] == [[[1], [2]]]
    client.lists["invoices/1/payments"] = f"[{payment(1)}]"
    list(read(build_task(client, PAYMENTS, state=state, now=NOW)))
    assert [each["values"] for each in state[PENDING_REMOVALS]] == [[[2]]]


@pytest.mark.parametrize("is_full", [True, False])
def test_a_restarted_first_sweep_reports_what_it_leaves_and_asks_all(*, is_full: bool) -> None:
    """
    A role that sees more, or a full refresh, rereads history before the sweep has ended.

    An invoice that was asked before and is unpaid now may have lost a payment since.
    """
    client = build_client(520)
    client.lists["invoices"] = "[" + ",".join(invoice(each) for each in range(1, 521)) + "]"
    state: dict[str, Any] = {}
    list(read(build_task(client, PAYMENTS, state=state, now=NOW)))
    if not is_full:
        state["cursor"] |= {"visibility": "1:member"}
    unpaid = {"due_amount": 10.0, "paid_at": None, "updated_at": "2024-01-02T00:00:00Z"}
    client.lists["invoices"] = "[" + ",".join(invoice(i, **unpaid) for i in range(1, 521)) + "]"
    client.lists["invoices?changed"] = "[]"
    client.asked.clear()
    task = build_task(client, PAYMENTS, state=state, now=NOW, full_refresh=is_full)
    list(read(task))
    assert task.run_log.unasked == {
        ("invoice_payments", 1): UnaskedParents(468, 520, NOW + 7 * DAY)
    }
    now = NOW
    while task.run_log.unasked:
        now += DAY
        task = build_task(client, PAYMENTS, state=state, now=now)
        list(read(task))
    assert {f"invoices/{each}/payments" for each in range(1, 521)} <= {*client.asked}
    assert now <= NOW + 7 * DAY


@pytest.mark.parametrize("left", [0, 60])
def test_an_earlier_start_date_adds_parents_that_a_sweep_asks(left: int) -> None:
    """Thousands of invoices of earlier years must not be asked for their payments in one run."""
    client = build_client(520)
    client.lists["invoices"] = "[" + ",".join(invoice(each) for each in range(1, 521)) + "]"
    client.lists["invoices?changed"] = f"[{invoice(7, updated_at='2026-11-22T11:00:00Z')}]"
    sweep = ParentSweep.whole(120, NOW - DAY)
    if left:
        at = NOW - DAY
        sweep = ParentSweep(began=at, before=461, parents=120, left=left, at=at, is_first=True)
    state: dict[str, Any] = {
        "cursor": Cursor(NOW - DAY, date(2026, 1, 1), "1:administrator", NOW - DAY).dump(),
        "walk": sweep.dump(),
    }
    now, asked, log = NOW, list[set[int]](), RunLog()
    while not asked or log.unasked:
        task = build_task(client, PAYMENTS, state=state, now=now)
        rows = [row for table in read(task) for row in table.to_pylist()]
        asked.append({row["invoice_id"] for row in rows})
        now, log = now + DAY, task.run_log
        client.lists["invoices?changed"] = "[]"
    assert 7 in asked[0]
    assert max(map(len, asked)) <= 104, "no run asks more than a fifth"
    assert set().union(*asked) == {*range(1, 521)}
    assert now <= NOW + 8 * DAY
    cursor = load_cursor(state["cursor"])
    assert cursor is not None
    assert cursor.covered_from is None


def test_a_start_date_that_adds_few_parents_asks_them_at_once() -> None:
    """The sweep goes on where it was."""
    client = build_client(50)
    client.lists["invoices"] = "[" + ",".join(invoice(each) for each in range(1, 51)) + "]"
    client.lists["invoices?changed"] = "[]"
    sweep = ParentSweep.whole(20, NOW - DAY).dump()
    state: dict[str, Any] = {
        "cursor": Cursor(NOW - DAY, date(2026, 1, 1), "1:administrator", NOW - DAY).dump(),
        "walk": sweep,
    }
    task = build_task(client, PAYMENTS, state=state, now=NOW)
    assert len([row for table in read(task) for row in table.to_pylist()]) == 50
    assert state["walk"] == sweep


def test_a_sweep_waits_for_a_whole_list_of_parents() -> None:
    """A parent missing from an incomplete list would be skipped for another week."""
    client = ShortClient(build_client(60).lists)
    client.shortens_changes = False
    client.lists["invoices?changed"] = "[]"
    sweep = ParentSweep(began=NOW - DAY, before=60, parents=60, left=59, at=NOW - DAY).dump()
    state = {"cursor": Cursor(NOW, None, "1:administrator", NOW).dump(), "walk": sweep}
    task = build_task(client, PAYMENTS, state=state, now=NOW)
    assert list(read(task)) == []
    assert state["walk"] == sweep
    assert len(task.run_log.unproven) == 1


def test_all_children_asks_every_parent_at_once() -> None:
    """It asks at first as well as later, even if the parents' columns say there is nothing."""
    client = build_client(60)
    unpaid = {"due_amount": 10.0, "paid_at": None}
    client.lists["invoices"] = "[" + ",".join(invoice(i, **unpaid) for i in range(1, 61)) + "]"
    client.lists["invoices?changed"] = "[]"
    state: dict[str, Any] = {}
    for _ in range(2):
        client.asked.clear()
        task = build_task(client, PAYMENTS, state=state, now=NOW, all_children=True)
        list(read(task))
        assert len({each for each in client.asked if each.endswith("/payments")}) == 60
        assert ParentSweep.load(state["walk"]) == ParentSweep.whole(60, NOW)


def test_a_first_read_skips_parents_without_children() -> None:
    """A parent is left out only if every column says so; the next sweep asks it anyway."""
    client = build_client(5)
    client.lists["invoices"] = "[" + ",".join([
        invoice(1),
        invoice(2, due_amount=10.0, paid_at=None),
        invoice(3, due_amount=4.0, paid_at=None),
        invoice(4, due_amount=10.0, paid_at="some day"),
        invoice(5, due_amount=None, paid_at=None),
    ]) + "]"  # fmt: skip
    client.lists["invoices?changed"] = "[]"
    state: dict[str, Any] = {}
    asked = []
    for now in (NOW, NOW + 7 * DAY):
        task = build_task(client, PAYMENTS, state=state, now=now)
        rows = [row for table in read(task) for row in table.to_pylist()]
        asked.append(sorted({row["invoice_id"] for row in rows}))
    assert asked == [[1, 3, 4, 5], [1, 2, 3, 4, 5]]


def test_a_full_refresh_asks_no_more_than_a_first_read() -> None:
    """It asks changed parents too; no column excludes one whose children may be loaded."""
    client = build_client(200)
    paid = {each: invoice(each) for each in range(2, 201)}
    unpaid = invoice(1, due_amount=10.0, paid_at=None, updated_at="2026-11-22T11:00:00Z")
    client.lists["invoices"] = "[" + ",".join([unpaid, *paid.values()]) + "]"
    state: dict[str, Any] = {
        "cursor": Cursor(NOW - DAY, None, "1:administrator", NOW - DAY).dump(),
        "walk": ParentSweep.whole(200, NOW - DAY).dump(),
    }
    task = build_task(client, PAYMENTS, state=state, now=NOW, full_refresh=True)
    rows = [row for table in read(task) for row in table.to_pylist()]
    assert sorted({row["invoice_id"] for row in rows}) == [1, *range(151, 201)]
    assert ParentSweep.load(state["walk"]).left == 150
    assert task.run_log.whole == set()


def test_later_reads_ask_changed_parents_and_the_next_of_a_sweep() -> None:
    """Deleting a child may not touch its parent, so all parents are asked on a schedule."""
    client = build_client(60)
    client.lists["invoices?changed"] = "[" + payment(60) + "]"
    state: dict[str, Any] = {
        "cursor": Cursor(NOW, None, "1:administrator", NOW).dump(),
        "walk": ParentSweep.whole(60, NOW - 5 * DAY).dump(),
    }

    def ask(now: datetime) -> list[int]:
        """The parents whose children one run reads."""
        task = build_task(client, PAYMENTS, state=state, now=now)
        return sorted({row["invoice_id"] for table in read(task) for row in table.to_pylist()})

    assert ask(NOW) == [60], "no sweep is due"
    assert ask(NOW + DAY) == [*range(1, 61)], "all that six of seven days ask for"
    assert ask(NOW + DAY) == [60], "the sweep has ended"


def test_more_parents_than_the_schedule_can_ask_for_are_reported() -> None:
    """A day reads a share of the allowance; the run says how long all parents take."""
    client = build_client(0)
    client.lists["invoices"] = f"[{','.join(map(payment, range(1, SWEEP_MOST + 2)))}]"
    sweep = ParentSweep(began=NOW, parents=SWEEP_MOST + 1, at=NOW)
    state = {"cursor": Cursor(NOW, None, "1:administrator", NOW).dump(), "walk": sweep.dump()}
    task = build_task(client, PAYMENTS, state=state, now=NOW, sweep_every=DAY)
    list(read(task))
    asked = {each for each in client.asked if each.endswith("/payments")}
    assert len(asked) == SWEEP_PARENTS
    (warning,) = task.run_log.warnings
    assert "again takes 2 days, not 1" in warning


def test_a_lower_role_does_not_replace_children_it_sees_in_part() -> None:
    """What is visible below a parent depends on the role, so fewer children prove nothing."""
    partial_endpoint = replace(PAYMENTS, in_part=True)
    state: dict[str, Any] = {"cursor": Cursor(NOW, None, "1:administrator", NOW).dump()}
    client = build_client(3)
    task = build_task(
        client, partial_endpoint, state=state, now=NOW, owner=Owner(1, "Ann", "", ("member",))
    )
    assert list(read(task)) == []
    assert client.asked == []
    assert "administrator's" in task.run_log.warnings[0]


class ShortClient(FixedClient):
    """Announces one row more than it serves in the list at path *short*."""

    short = "invoices"
    shortens_changes = True

    def iter_pages(
        self, path: str, *, key: str | None, params: Mapping[str, str], most_rows: int | None
    ) -> Generator[ListPage, None, None]:
        pages = super().iter_pages(path, key=key, params=params, most_rows=most_rows)
        lacks = path == self.short and (self.shortens_changes or "updated_since" not in params)
        for page in pages:
            yield ModelPage(page.rows, (page.total_entries or 0) + lacks, page.began)


def test_an_incomplete_list_of_parents_moves_no_cursor() -> None:
    """The children of an unlisted parent would never be read."""
    state: dict[str, Any] = {}
    task = build_task(ShortClient(build_client(3).lists), PAYMENTS, state=state, now=NOW)
    assert sum(table.num_rows for table in read(task)) == 3
    assert state == {}
    assert "announced 4 rows but sent 3 in every attempt" in str(task.run_log.unproven[0].error)


def test_a_parent_with_an_incomplete_list_blocks_no_other() -> None:
    """The parent keeps its rows, is reported, and is reread in each run until its list is whole."""
    client = ShortClient(build_client(3).lists)
    client.short = "invoices/2/payments"
    client.lists["invoices?changed"] = "[]"
    state: dict[str, Any] = {}

    def run(now: datetime) -> tuple[list[int], RunLog]:
        client.asked.clear()
        task = build_task(client, PAYMENTS, state=state, now=now)
        return [row["id"] for table in read(task) for row in table.to_pylist()], task.run_log

    loaded, log = run(NOW)
    assert loaded == [1, 3]
    (failure,) = log.unproven
    assert "was not replaced for invoice_id 2: " in str(failure.error)
    assert "announced 2 rows but sent 1 in every attempt" in str(failure.error)
    assert log.whole == set(), "a full refresh removes nothing"
    assert PENDING_REMOVALS not in state

    loaded, log = run(NOW + timedelta(hours=1))
    assert loaded == []
    assert len(log.unproven) == 1

    client.short = ""
    loaded, log = run(NOW + timedelta(hours=2))
    assert loaded == [2]
    assert log.unproven == []

    run(NOW + timedelta(hours=3))
    assert "invoices/2/payments" not in client.asked


def test_a_reread_parent_with_an_incomplete_list_is_read_again() -> None:
    """A parent chosen by a verification is not forgotten because of one odd answer."""
    client = ShortClient(build_client(3).lists)
    client.short = "invoices/2/payments"
    state: dict[str, Any] = {"unread": [7]}
    rereads = {("invoice_payments", 1): Reread(parents=(1, 2))}
    task = build_task(client, PAYMENTS, state=state, now=NOW, rereads=rereads)
    assert [row["id"] for table in read(task) for row in table.to_pylist()] == [1]
    assert state == {"unread": [2, 7]}
    assert len(task.run_log.unproven) == 1
