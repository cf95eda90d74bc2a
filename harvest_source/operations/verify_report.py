"""What a verification found, as people, programs and sheets get it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from harvest_source.exit_codes import ExitCode, choose_exit_code
from harvest_source.extract.run_log import RunLog
from harvest_source.operations.comparisons import Comparison, State
from harvest_source.operations.verify_summary import (
    CheckSummary,
    OpenQuestion,
    find_open_questions,
    summarise_checks,
)
from harvest_source.warehouse.target import Target


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """All comparisons, in the order they were made; after mending, those made again."""

    account_ids: tuple[int, ...]
    comparisons: tuple[Comparison, ...]
    run_log: RunLog
    requests: int
    mended: bool = False
    as_of: datetime | None = None
    """When the verification began: what changed in Harvest before that is taken into account."""
    seconds: float = 0
    target: Target = field(default_factory=Target)
    """Where the tables are."""
    all_values: bool = False
    """Whether all values were compared, also in tables of several pages."""

    @property
    def checks(self) -> tuple[CheckSummary, ...]:
        """One line for each account, check and currency."""
        return summarise_checks(self.comparisons)

    @property
    def shown(self) -> tuple[Comparison, ...]:
        """The comparisons as people get them."""
        return tuple(each.complete(self.target) for each in self.comparisons)

    @property
    def open_questions(self) -> tuple[OpenQuestion, ...]:
        """The differences that could not be decided, by reason."""
        return find_open_questions(self.shown)

    @property
    def uncompared(self) -> tuple[str, ...]:
        """What failed and so was not compared: tables, or whole accounts."""
        return tuple(each.table or f"account {each.account_id}" for each in self.run_log.failures)

    @property
    def status(self) -> str:
        """``ok``; ``differs``; ``partial``: something could not be compared; ``error``: nothing."""
        if self.run_log.failures:
            return "partial" if self.comparisons else "error"
        return "differs" if self.differences else "ok"

    @property
    def differences(self) -> list[Comparison]:
        """The comparisons that are not as they should be."""
        return [each for each in self.comparisons if each.state is State.DIFFERS]

    @property
    def exit_code(self) -> ExitCode:
        """0, 5 for a difference or an account without comparisons, or the gravest error's."""
        codes = {failure.error.exit_code for failure in self.run_log.failures}
        return choose_exit_code(codes | ({ExitCode.CHECK_FAILED} if self.differences else set()))

    @property
    def command_to_mend(self) -> str:
        """The command that finds the same differences and mends them."""
        name = f"verify{' --all-values' if self.all_values else ''} --fix"
        return self.target.build_command(name)

    def count_states(self) -> dict[str, int]:
        """How many comparisons have each state."""
        counts = Counter(each.state for each in self.comparisons)
        return {str(state): counts[state] for state in State}

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "ok" if self.exit_code == 0 else "error",
            "account_ids": list(self.account_ids),
            "requests": self.requests,
            "mended": self.mended,
            "as_of": self.as_of.isoformat() if self.as_of else None,
            "seconds": round(self.seconds, 2),
            "checks": [each.as_dict() for each in self.checks],
            "compared": self.count_states(),
            "findings": [each.as_dict() for each in self.shown],
            "errors": [failure.as_dict() for failure in self.run_log.failures],
            "warnings": list(self.run_log.warnings),
        }
