"""Output of ``harvest-source transform``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from harvest_source.cli.console import Console, open_stderr, print_json, print_table
from harvest_source.cli.json_log import log_findings
from harvest_source.errors import counted

if TYPE_CHECKING:
    from harvest_source.operations.transform import Model, TransformReport

_HEADINGS: Final = ("Model", "Rows", "Tests", "State")


@contextmanager
def show_steps(console: Console) -> Iterator[Callable[[int, int], None]]:
    """Show on stderr how many models and tests have started, if it is a terminal."""
    if console.quiet or not console.as_text or not open_stderr().is_terminal:
        yield lambda _, __: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=open_stderr(), transient=True) as bar:
        task = bar.add_task("models and tests", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_transform(console: Console, report: TransformReport) -> None:
    """Show warnings and failures on stderr; the marts and a summary line on stdout."""
    if console.log is not None:
        _tell(console, report)
        models = report.as_dict()["models"]
        log_findings(
            console.log,
            report.as_dict(),
            [{"model": name, **each} for name, each in models.items()],
        )
    if console.as_json:
        print_json(report.as_dict())
    if not console.as_text:
        return
    _tell(console, report)
    if not console.quiet:
        marts = [each for each in report.models if each.is_mart]
        print_table(_HEADINGS, map(_build_row, marts), numbers=("Rows", "Tests"), states=("State",))
    print(_summarise(report))


def _tell(console: Console, report: TransformReport) -> None:
    for warning in report.warnings:
        console.note("warning", warning)
    for failure in report.failures:
        console.error(f"{failure.kind} {failure.name}: {failure.message}")


def _build_row(model: Model) -> tuple[str, ...]:
    state = "error" if model.failed or model.rows is None else "warning" if model.warned else "ok"
    rows = "" if model.rows is None else f"{model.rows:,}"
    return model.name, rows, str(model.passed + model.warned + model.failed), state


def _summarise(report: TransformReport) -> str:
    tests = [each for each in report.nodes if each.kind != "model"]
    passed = sum(each.status in ("pass", "warn") for each in tests)
    built = sum(model.rows is not None for model in report.models)
    line = (
        f"{'error' if report.failures else 'ok'}: {counted(built, 'model')} in schema "
        f"{report.schema}, {passed} of {counted(len(tests), 'test')} passed, {report.seconds:.1f} s"
    )
    if report.published:
        line += f"; {report.published}"
    return line
