"""
Columns of models and reports from which a hidden rate can be computed, such as an amount next to
its hours, a cost or a margin.

They are listed for each table, because no naming rule finds them all. For the models,
``tests/dbt/test_revealing.py`` changes the rates that they are built from and compares which
columns change. Harvest itself computes the reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OF_BUDGETS: Final = frozenset(
    {"spent", "budget_left", "spent_share_of_budget", "weekly_use", "projected", "runs_out_on"}
)
"""Columns of a budget in money, which is used up at billable rates."""
_REPORTS: Final = {
    **{
        f"report_time_{kind}": frozenset({"billable_amount"})
        for kind in ("clients", "projects", "tasks", "team")
    },
    "report_uninvoiced": frozenset({"uninvoiced_amount"}),
    "report_project_budget": frozenset({"budget_spent", "budget_remaining"}),
}
_OF_MARGIN: Final = frozenset({"margin", "margin_share_of_revenue"})

COMPUTED: Final[Mapping[str, Mapping[str, frozenset[str]]]] = {
    "time_entries.cost_rate": {
        "stg_harvest__time_entries": frozenset({"cost_rate"}),
        "stg_harvest__users": frozenset({"cost_rate"}),
        "stg_harvest__users_history": frozenset({"cost_rate"}),
        "stg_harvest__cost_rates": frozenset({"amount"}),
        "harvest__time_entries": frozenset({"cost_rate", "cost"}),
        "harvest__hours_daily": frozenset({"cost"}),
        "harvest__people": frozenset({"cost_rate"}),
        "harvest__profitability_monthly": _OF_MARGIN | {"time_cost", "cost"},
    },
    "time_entries.billable_rate": {
        **_REPORTS,
        **{f"stg_harvest__{report}": names for report, names in _REPORTS.items()},
        "stg_harvest__time_entries": frozenset({"billable_rate"}),
        "harvest__time_entries": frozenset({"billable_rate", "billable_amount", "standard_value"}),
        "harvest__hours_daily": frozenset({"billable_amount", "standard_value"}),
        "harvest__profitability_monthly": _OF_MARGIN | {"revenue"},
        "harvest__budgets": _OF_BUDGETS | {"is_over"},
        "harvest__budget_lines": _OF_BUDGETS | {"is_over"},
        "harvest__budget_months": frozenset(
            {"spent_in_month", "spent_so_far", "budget_left", "spent_share_of_budget"}
        ),
        "harvest__uninvoiced": frozenset({"uninvoiced_time", "uninvoiced_amount"}),
        "harvest__realisation": frozenset({"standard_value", "realisation"}),
        "harvest__revenue_monthly": frozenset({"work_value"}),
    },
}
"""By the rate that they reveal: the columns of each table that are computed from it."""
