"""Which columns of which mart correspond to which computed figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.support import agency_figures as figures
from tests.support import agency_projects as projects
from tests.support.agency_figures import Records, read_records
from tests.support.models_lab import ModelsLab, by

Figures = Mapping[tuple[Any, ...], Mapping[str, Any]]
"""By the key of a mart: the expected columns."""

TIME_OFF, HOLIDAYS = ("Vacation", "Sick leave"), ("Public holiday",)
CENT, SHARE = Decimal("0.006"), Decimal("0.00006")
"""The tolerance of a figure: half of the last place, and the rounding of its parts."""


@dataclass(frozen=True)
class Found:
    """The result of a comparison."""

    rows: int
    values: int
    differences: list[str]


@dataclass(frozen=True)
class Comparison:
    """
    One mart and how its figures are computed.

    Attributes:
        key: Columns of the mart that form the key of the figures.
    """

    mart: str
    key: tuple[str, ...]
    compute: Callable[[Records], Figures]

    def compare(self, lab: ModelsLab, account_id: int | None = None) -> Found:
        """Compare every row and column of the account; without a name, of the only account."""
        records = read_records(lab.server, lab.clock().date(), account_id)
        expected = self.compute(records)
        found = [row for row in lab.mart(self.mart) if account_id in (None, row["account_id"])]
        rows = by(found, *self.key)
        differences = [f"only in the mart: {key}" for key in rows.keys() - expected.keys()]
        differences += [f"not in the mart: {key}" for key in expected.keys() - rows.keys()]
        values = 0
        for key in rows.keys() & expected.keys():
            for column, value in expected[key].items():
                values += 1
                if not is_figure(rows[key][column], value, column):
                    differences.append(f"{key} {column}: {rows[key][column]}, computed {value}")
        return Found(len(rows), values, sorted(differences))


def is_figure(found: Any, expected: Any, column: str) -> bool:
    """Whether a value of a mart equals the computed one, apart from its rounding."""
    if not isinstance(expected, Decimal | Fraction) or found is None:
        return bool(found == expected)
    allowed = SHARE if "share" in column or column == "realisation" else CENT
    if column == "margin":  # The difference of two rounded amounts.
        allowed *= 2
    return abs(Fraction(found) - Fraction(expected)) <= Fraction(allowed)


def time_entries(records: Records) -> Figures:
    """Amounts are exact, not rounded."""
    return {
        (entry["id"],): {
            "hours": figures.number(entry["hours"]),
            "rounded_hours": figures.number(entry["rounded_hours"]),
            "billable_amount": records.billable_amount(entry),
            "standard_value": records.standard_value(entry),
            "cost": records.cost(entry),
            "cost_rate": records.cost_rate(entry),
            "is_billable_rate_missing": records.standard_value(entry) is None,
            "is_cost_rate_missing": records.cost_rate(entry) is None,
        }
        for entry in records.rows("time_entries")
    }


def hours_daily(records: Records) -> Figures:
    """Sums by day, person, project and task."""
    found: dict[tuple[Any, ...], dict[str, Decimal]] = {}
    for entry in records.rows("time_entries"):
        key = (
            date.fromisoformat(entry["spent_date"]),
            *(entry[name]["id"] for name in ("user", "project", "task")),
        )
        sums = found.setdefault(key, {"hours": figures.ZERO, "rounded_hours": figures.ZERO})
        for column in sums:
            sums[column] += figures.number(entry[column])
    return found


def utilization(
    period: Callable[[Records], Callable[[date], date]],
) -> Callable[[Records], Figures]:
    """Hours, capacity and the five shares, by person and period."""

    def compute(records: Records) -> Figures:
        return {
            key: {
                "working_days": of.working_days,
                "capacity_hours": of.capacity,
                "total_hours": of.total,
                "billable_hours": of.billable,
                "off_hours": of.off,
                **of.shares,
            }
            for key, of in figures.utilization(records, period(records)).items()
        }

    return compute


def week(records: Records) -> Callable[[date], date]:
    """The first day of a day's week, by the account's setting."""
    first = {"Monday": 1, "Sunday": 7, "Saturday": 6}[records.company["week_start_day"]]
    return lambda at: at - timedelta((at.isoweekday() - first) % 7)


def profitability(records: Records) -> Figures:
    """Revenue, cost and margin."""
    return {
        key: {
            "revenue": of.revenue,
            "time_cost": of.time_cost,
            "expense_cost": of.expenses,
            "cost": of.cost,
            "margin": of.margin,
        }
        for key, of in projects.profitability_monthly(records).items()
    }


def describe_budget(of: projects.Budget) -> dict[str, Any]:
    """The columns that a budget and its lines share."""
    return {
        "budget": of.budget,
        "spent": of.spent,
        "budget_left": of.left,
        "weekly_use": of.weekly,
        "runs_out_on": of.runs_out_on,
        "is_over": of.budget is not None and of.spent > of.budget,
    }


def budgets(records: Records) -> Figures:
    """Every budget."""
    return {(key,): describe_budget(of) for key, of in projects.budgets(records).items()}


def budget_lines(records: Records) -> Figures:
    """Every line of a budget."""
    return {key: describe_budget(of) for key, of in projects.budget_lines(records).items()}


def budget_months(records: Records) -> Figures:
    """The amount spent in a month, and until its end."""
    return {
        key: {"spent_in_month": spent, "spent_so_far": so_far}
        for key, (spent, so_far) in projects.budget_months(records).items()
    }


def uninvoiced(records: Records) -> Figures:
    """Every project, even without anything uninvoiced."""
    return {
        (key,): {
            "uninvoiced_hours": of.hours,
            "uninvoiced_time": of.time,
            "uninvoiced_fee": of.fee,
            "uninvoiced_expenses": of.expenses,
            "uninvoiced_amount": of.amount,
            "on_drafts": of.on_drafts,
            "oldest_uninvoiced_date": of.oldest,
            "oldest_uninvoiced_days": of.oldest and (records.as_of - of.oldest).days,
        }
        for key, of in projects.uninvoiced(records).items()
    }


def invoices(records: Records) -> Figures:
    """Net, collected and written off."""
    paid, lost = figures.collected(records), figures.written_off(records)
    return {
        (row["id"],): {
            "net_amount": figures.net(row),
            "collected_amount": paid.get(row["id"], figures.ZERO),
            "written_off_amount": lost.get(row["id"], figures.ZERO),
        }
        for row in records.rows("invoices")
    }


def invoice_lines(records: Records) -> Figures:
    """Net amounts of lines."""
    return {
        (row["id"], key): {"net_amount": amount}
        for row in records.rows("invoices")
        for key, amount in figures.net_lines(row).items()
    }


def realisation(records: Records) -> Figures:
    """Invoiced and collected amounts, compared with the value of the work."""
    return {
        key: {
            "standard_value": of.standard_value,
            "invoiced_net": of.invoiced,
            "collected_amount": of.collected,
            "billed_expenses": of.expenses,
            "realisation": Fraction(of.invoiced - of.expenses) / Fraction(of.standard_value)
            if of.standard_value
            else None,
        }
        for key, of in figures.realisation(records).items()
    }


def receivables(records: Records) -> Figures:
    """The amounts due."""
    found = figures.receivables_ageing(records)
    return {key: {"due_amount": amount} for key, amount in found.items()}


def revenue(records: Records) -> Figures:
    """Work, invoiced, collected."""
    return {
        key: {
            "work_value": of.work,
            "invoiced_net": of.invoiced,
            "collected_amount": of.collected,
        }
        for key, of in figures.revenue_monthly(records).items()
    }


def missing_time(records: Records) -> Figures:
    """People and days."""
    return {key: {} for key in figures.missing_time(records)}


PROJECT = ("project_id",)
LINE = ("project_id", "task_id", "user_id")
COMPARISONS = (
    Comparison("time_entries", ("time_entry_id",), time_entries),
    Comparison("hours_daily", ("spent_date", "user_id", "project_id", "task_id"), hours_daily),
    Comparison("utilization_daily", ("user_id", "day"), utilization(lambda _: lambda at: at)),
    Comparison("utilization_weekly", ("user_id", "week_start"), utilization(week)),
    Comparison(
        "utilization_monthly",
        ("user_id", "month"),
        utilization(lambda _: lambda at: at.replace(day=1)),
    ),
    Comparison("profitability_monthly", ("project_id", "month"), profitability),
    Comparison("budgets", PROJECT, budgets),
    Comparison("budget_lines", LINE, budget_lines),
    Comparison("budget_months", ("project_id", "month"), budget_months),
    Comparison("uninvoiced", PROJECT, uninvoiced),
    Comparison("invoices", ("invoice_id",), invoices),
    Comparison("invoice_lines", ("invoice_id", "line_item_id"), invoice_lines),
    Comparison("realisation", ("invoice_id", "project_id"), realisation),
    Comparison("receivables_ageing", ("client_id", "currency", "bucket"), receivables),
    Comparison("revenue_monthly", ("client_id", "project_id", "month", "currency"), revenue),
    Comparison("missing_time", ("user_id", "day"), missing_time),
)
