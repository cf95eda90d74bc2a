"""
Everyday questions as prompts: each with the query that answers it in this warehouse.

The questions are those of ``docs/questions.md``, from which ``prompts.json`` is generated. Each has
a query on the models and one on the tables; the former is used if the models were built.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from harvest_source.defaults import DATASET
from harvest_source.sql.maintenance import quote

_MODELS: Final = f"{DATASET}_models"
_GUIDE: Final = (
    "Answer it by the tool query with the SQL below, changed only as far as the question differs. "
    "Say as_of with every figure, and never add amounts of different currencies."
)


@dataclass(frozen=True, slots=True)
class Prompt:
    """
    A question with the queries that answer it.

    Attributes:
        of_models: The query on the models that ``transform`` builds.
        of_tables: The query on the tables that ``sync`` loads. Both are for dataset ``harvest``.
    """

    name: str
    question: str
    of_models: str
    of_tables: str

    def build_text(self, dataset: str, tables: Iterable[str]) -> str:
        """
        Build the prompt's text for a warehouse.

        Args:
            tables: Names of the tables and views that the caller may read, without their schemas.
        """
        wanted = set(re.findall(rf"\b{_MODELS}\.(\w+)", self.of_models))
        sql = self.of_models if wanted <= set(tables) else self.of_tables
        if dataset != DATASET:
            sql = re.sub(rf"\b{_MODELS}\.", f"{quote(f'{dataset}_models')}.", sql)
            sql = re.sub(rf"\b{DATASET}\.", f"{quote(dataset)}.", sql)
        return f"{self.question}\n\n{_GUIDE}\n\n{sql}"


@cache
def read_prompts() -> dict[str, Prompt]:
    """Read every prompt, by its name."""
    text = files("harvest_source.ask.mcp").joinpath("prompts.json").read_text("utf-8")
    return {each["name"]: Prompt(**each) for each in json.loads(text)}
