"""
The figures of the pages: one query each on the marts, for DuckDB and for PostgreSQL.

The database sums decimals exactly; only the results become floats, for charts and people. A sum of
money is always in one currency. Unknown values are null, never zero.
"""

from __future__ import annotations

from datetime import datetime

from harvest_source.pages.filters import Filters, RecordKey
from harvest_source.pages.marts import Marts, Row
from harvest_source.schema.own_tables import SYNC_RUNS, VERIFY_RUNS
from harvest_source.schema.run_record import parse_time
from harvest_source.schema.verify_record import VERIFY_COLUMNS, VerifyRecord, find_last


def _number(expression: str) -> str:
    """Convert a decimal, after it was summed, to a float for charts."""
    return f"CAST({expression} AS DOUBLE PRECISION)"


def read_hours(marts: Marts, filters: Filters) -> Row:
    """Read sums of the period: hours, billable hours, people with entries."""
    where, values = filters.where("spent_date", client=True, person=True, money=True)
    text = (
        f"SELECT {_number('COALESCE(SUM(hours), 0)')}, "
        f"{_number('COALESCE(SUM(billable_hours), 0)')}, "
        "COUNT(DISTINCT (account_id, user_id)) "
        f"FROM {marts.mart('hours_daily')} WHERE {where}"
    )
    (row,) = marts.rows(text, values, ("hours", "billable", "people"))
    return row


def read_capacity(marts: Marts, filters: Filters) -> Row:
    """Read sums of the period over people, no matter what they worked on."""
    where, values = filters.where("day", person=True)
    text = (
        f"SELECT {_number('COALESCE(SUM(worked_hours), 0)')}, "
        f"{_number('COALESCE(SUM(available_hours), 0)')}, "
        f"{_number('COALESCE(SUM(billable_hours), 0)')} "
        f"FROM {marts.mart('utilization_daily')} WHERE {where}"
    )
    (row,) = marts.rows(text, values, ("worked", "available", "billable"))
    return row


def read_utilization(marts: Marts, filters: Filters, *, by_month: bool = False) -> list[Row]:
    """Read hours and capacity by person and week, or month, for those that begin in the period."""
    mart, period = (
        ("utilization_monthly", "month") if by_month else ("utilization_weekly", "week_start")
    )
    where, values = filters.where(period, person=True)
    names = ("worked_hours", "billable_hours", "off_hours", "capacity_hours", "available_hours")
    sums = ", ".join(_number(f"SUM({name})") for name in names)
    text = (
        f"SELECT account_id, user_id, {period}, MAX(person_name), {sums} "
        f"FROM {marts.mart(mart)} WHERE {where} "
        f"GROUP BY account_id, user_id, {period} ORDER BY {period}"
    )
    columns = ("account_id", "user_id", "period", "person")
    return marts.rows(text, values, (*columns, *(name.removesuffix("_hours") for name in names)))


def read_weekly_capacity(marts: Marts, filters: Filters) -> dict[RecordKey, float]:
    """Read the current weekly capacity of each person; people without one are left out."""
    where, values = filters.where(person=True)
    text = (
        f"SELECT account_id, user_id, {_number('weekly_capacity_hours')} "
        f"FROM {marts.mart('people')} WHERE {where} AND weekly_capacity_hours IS NOT NULL"
    )
    return {(account, user): hours for account, user, hours in marts.fetch(text, values)}


def read_mix(marts: Marts, filters: Filters, *, by_week: bool) -> list[Row]:
    """Read billable and other hours by month, or by week as the account has it."""
    period = "DATE_TRUNC('month', spent_date)"
    if by_week:
        days = "EXTRACT(ISODOW FROM spent_date) - COALESCE(first_weekday, 1)"
        period = f"spent_date - MOD(CAST(7 + {days} AS INTEGER), 7)"
    where, values = filters.where("spent_date", client=True, person=True, money=True)
    text = (
        f"SELECT CAST({period} AS DATE), "
        f"{_number('SUM(billable_hours)')}, {_number('SUM(hours - billable_hours)')} "
        f"FROM {marts.mart('hours_daily')} LEFT JOIN ("
        "SELECT account_id AS of_account, MAX(first_weekday) AS first_weekday "
        f"FROM {marts.model('int_harvest__accounts')} GROUP BY account_id"
        f") AS weeks ON of_account = account_id WHERE {where} GROUP BY 1 ORDER BY 1"
    )
    return marts.rows(text, values, ("period", "billable", "other"))


def read_budgets(marts: Marts, filters: Filters) -> list[Row]:
    """Read budgets of projects that are not archived, as of the models' day; the fullest first."""
    where, values = filters.where(client=True, money=True)
    share = _number("spent_share_of_budget")
    text = (
        "SELECT account_id, project_id, client_name, project_name, unit, currency, "
        f"budget_is_monthly, {_number('budget')}, {_number('spent')}, {share}, "
        f"{_number('weekly_use')}, runs_out_on "
        f"FROM {marts.mart('budgets')} WHERE {where} AND NOT is_archived "
        f"ORDER BY {share} DESC, client_name, project_name"
    )
    columns = (
        *("account_id", "project_id", "client", "project", "unit", "currency", "is_monthly"),
        *("budget", "spent", "share", "weekly_use", "runs_out_on"),
    )
    return marts.rows(text, values, columns)


def read_burn(marts: Marts, filters: Filters) -> list[Row]:
    """Read the share of each budget spent by month; budgets that reset monthly are left out."""
    where, values = filters.where(client=True, money=True)
    text = (
        f"SELECT account_id, project_id, month, {_number('spent_share_of_budget')} "
        f"FROM {marts.mart('budget_months')} "
        f"WHERE {where} AND NOT budget_is_monthly AND spent_share_of_budget IS NOT NULL "
        "ORDER BY month"
    )
    return marts.rows(text, values, ("account_id", "project_id", "month", "share"))


def read_uninvoiced(marts: Marts, filters: Filters) -> list[Row]:
    """
    Read what is billable and on no invoice, by client and currency, as of the models' day.

    Amounts invoiced beyond fixed fees are summed separately: they do not pay for other work.
    """
    where, values = filters.where(client=True, money=True)
    text = (
        "SELECT account_id, client_id, currency, MAX(client_name), "
        f"{_number('SUM(uninvoiced_time)')}, "
        f"{_number('SUM(CASE WHEN uninvoiced_fee > 0 THEN uninvoiced_fee ELSE 0 END)')}, "
        f"{_number('SUM(CASE WHEN uninvoiced_fee < 0 THEN -uninvoiced_fee ELSE 0 END)')}, "
        f"{_number('SUM(uninvoiced_expenses)')}, {_number('SUM(on_drafts)')}, "
        f"{_number('SUM(uninvoiced_hours)')}, {_number('SUM(hours_without_billable_rate)')}, "
        "SUM(CASE WHEN is_fixed_fee AND uninvoiced_fee IS NULL THEN 1 ELSE 0 END), "
        "MAX(oldest_uninvoiced_days) "
        f"FROM {marts.mart('uninvoiced')} WHERE {where} "
        "GROUP BY account_id, client_id, currency ORDER BY currency, 4"
    )
    columns = (
        *("account_id", "client_id", "currency", "client", "time", "fee", "beyond", "expenses"),
        *("drafts", "hours", "unrated_hours", "unknown_fees", "oldest_days"),
    )
    return marts.rows(text, values, columns)


def read_ageing(marts: Marts, filters: Filters) -> list[Row] | None:
    """Read what is due of open invoices by client and age; None: invoices are switched off."""
    if not marts.has_mart("receivables_ageing"):
        return None
    where, values = filters.where(client=True, money=True)
    text = (
        "SELECT account_id, client_id, currency, bucket, bucket_order, MAX(client_name), "
        f"SUM(invoices), {_number('SUM(due_amount)')}, MIN(oldest_due_date) "
        f"FROM {marts.mart('receivables_ageing')} WHERE {where} "
        "GROUP BY account_id, client_id, currency, bucket, bucket_order "
        "ORDER BY currency, bucket_order, 6, account_id, client_id"
    )
    columns = (
        *("account_id", "client_id", "currency", "bucket", "order", "client"),
        *("invoices", "due", "oldest_due_date"),
    )
    return marts.rows(text, values, columns)


def read_margins(marts: Marts, filters: Filters) -> list[Row]:
    """
    Read revenue and margin by client, for the months of the period, and what is missing.

    A project's month is known if its margin is known and none of its hours lacks a billable rate.
    ``revenue`` and ``margin`` cover only known months; ``known_hours`` are the hours of these.
    """
    where, values = filters.where(client=True, money=True)
    known = "margin IS NOT NULL AND hours_without_billable_rate = 0"
    text = (
        "SELECT account_id, client_id, currency, MAX(client_name), "
        f"{_number('SUM(hours)')}, {_number(f'SUM(CASE WHEN {known} THEN hours ELSE 0 END)')}, "
        f"{_number(f'SUM(CASE WHEN {known} THEN revenue END)')}, "
        f"{_number(f'SUM(CASE WHEN {known} THEN margin END)')}, "
        f"{_number('SUM(revenue)')}, {_number('SUM(hours_without_cost_rate)')}, "
        f"{_number('SUM(hours_without_billable_rate)')}, "
        "SUM(CASE WHEN is_fee_or_date_missing THEN 1 ELSE 0 END), "
        "SUM(CASE WHEN is_other_currency AND cost IS NULL AND hours_without_cost_rate = 0 "
        "THEN 1 ELSE 0 END) "
        f"FROM {marts.mart('profitability_monthly')} "
        f"WHERE {where} AND month BETWEEN %s AND %s "
        "GROUP BY account_id, client_id, currency ORDER BY 4"
    )
    months = [filters.start.replace(day=1), filters.end]
    columns = (
        *("account_id", "client_id", "currency", "client", "hours", "known_hours", "revenue"),
        *(
            "margin",
            "all_revenue",
            "uncosted_hours",
            "unrated_hours",
            "unknown_fees",
            "unexchanged",
        ),
    )
    return marts.rows(text, [*values, *months], columns)


def read_missing(marts: Marts, filters: Filters) -> list[Row]:
    """Read working days without an entry, by person who is not archived; the most days first."""
    where, values = filters.where("day", person=True)
    text = (
        "SELECT account_id, user_id, MAX(person_name), COUNT(*), "
        f"{_number('SUM(capacity_hours)')}, MAX(day) "
        f"FROM {marts.mart('missing_time')} WHERE {where} AND NOT is_archived "
        "GROUP BY account_id, user_id ORDER BY 4 DESC, 3"
    )
    return marts.rows(text, values, ("account_id", "user_id", "person", "days", "hours", "last"))


def read_missing_days(marts: Marts, filters: Filters) -> list[Row]:
    """Read the days of :func:`read_missing`, one row each."""
    where, values = filters.where("day", person=True)
    text = (
        f"SELECT account_id, user_id, day FROM {marts.mart('missing_time')} "
        f"WHERE {where} AND NOT is_archived ORDER BY day"
    )
    return marts.rows(text, values, ("account_id", "user_id", "day"))


def read_findings(marts: Marts, filters: Filters) -> list[Row]:
    """Read findings of the period, and those without a day, by kind; the most frequent first."""
    where, values = filters.where()
    text = (
        f"SELECT finding, table_name, COUNT(*), MIN(detail) FROM {marts.mart('data_quality')} "
        f"WHERE {where} AND (day IS NULL OR day BETWEEN %s AND %s) "
        "GROUP BY finding, table_name ORDER BY 3 DESC, 1"
    )
    columns = ("finding", "table", "rows", "example")
    return marts.rows(text, [*values, filters.start, filters.end], columns)


def read_syncs(marts: Marts, *, limit: int = 8) -> list[Row]:
    """Read the last syncs, newest first; empty if plain dlt filled the warehouse."""
    if not marts.has_table(SYNC_RUNS):
        return []
    text = (
        "SELECT started_at, ended_at, status, requests, rows_deleted, version "
        f"FROM {marts.table(SYNC_RUNS)} ORDER BY started_at DESC LIMIT {limit}"
    )
    columns = ("started_at", "ended_at", "status", "requests", "rows_deleted", "version")
    return marts.rows(text, (), columns)


def read_models_syncs(marts: Marts) -> frozenset[datetime]:
    """When each sync that the models include began, in UTC; empty: not known."""
    text = f"SELECT started_at FROM {marts.mart('sync_health')}"
    return frozenset(parse_time(at) for (at,) in marts.fetch(text, ()) if at is not None)


def read_verified(marts: Marts) -> VerifyRecord | None:
    """Read the last verification; None: none is on record."""
    if not marts.has_table(VERIFY_RUNS):
        return None
    names = ", ".join(VERIFY_COLUMNS)
    text = f"SELECT {names} FROM {marts.table(VERIFY_RUNS)}"
    return find_last(marts.rows(text, (), VERIFY_COLUMNS))
