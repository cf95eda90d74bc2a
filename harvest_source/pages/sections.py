"""The sections of the pages in order: each may have a chart, a table, and notes on gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from harvest_source.pages.budget_sections import build_budgets, build_burn
from harvest_source.pages.money_sections import build_ageing, build_margins, build_uninvoiced
from harvest_source.pages.section import PageContext, Section
from harvest_source.pages.upkeep_sections import build_freshness, build_quality
from harvest_source.pages.work_sections import build_missing, build_mix, build_utilization

BUILDERS: Final[Mapping[str, Callable[[PageContext], Section]]] = {
    "utilization": build_utilization,
    "mix": build_mix,
    "budgets": build_budgets,
    "burn": build_burn,
    "uninvoiced": build_uninvoiced,
    "ageing": build_ageing,
    "margins": build_margins,
    "missing": build_missing,
    "quality": build_quality,
    "freshness": build_freshness,
}
"""Every section by its name, in the order of the page."""


def build_sections(page: PageContext) -> tuple[Section, ...]:
    """Build every section of the page."""
    return tuple(build(page) for build in BUILDERS.values())
