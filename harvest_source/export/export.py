"""One export: which tables go into which files, and which could not be written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeAlias

import pyarrow as pa

from harvest_source.config.lists import parse_values
from harvest_source.config.parse import parse_accounts, parse_destination_wait
from harvest_source.config.resolve import read_configuration
from harvest_source.defaults import DATASET, DUCKDB, PIPELINE
from harvest_source.errors import ConfigError, printable
from harvest_source.exit_codes import ExitCode
from harvest_source.export.errors import DoesNotFitError
from harvest_source.export.excel_files import LONGEST_TEXT, MOST_ROWS, write_excel
from harvest_source.export.tables import Tables, open_tables
from harvest_source.export.text_files import write_csv, write_parquet
from harvest_source.file_permissions import create_draft
from harvest_source.warehouse.target import Target, build_target

Writer: TypeAlias = Callable[..., int]

WRITERS: Final[Mapping[str, Writer]] = {
    "csv": write_csv,
    "parquet": write_parquet,
    "xlsx": write_excel,
}


@dataclass(frozen=True, slots=True)
class ExportReport:
    """
    The result of an export.

    Attributes:
        rows: Number of rows in each file.
        refused: For each table that was not written, the reason.
        warnings: Messages for people.
    """

    rows: Mapping[Path, int]
    refused: Mapping[str, str] = field(default_factory=dict)
    warnings: Sequence[str] = ()

    @property
    def exit_code(self) -> ExitCode:
        """5 if a table does not fit the format, else 0."""
        return ExitCode.CHECK_FAILED if self.refused else ExitCode.DONE

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "partial" if self.refused else "ok",
            "files": {str(path): {"rows": rows} for path, rows in self.rows.items()},
            "errors": [{"table": name, "message": why} for name, why in self.refused.items()],
            "warnings": list(self.warnings),
        }


def export(
    folder: str | Path,
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    account: int | Iterable[int | str] = (),
    table: Iterable[str] = (),
    form: str = "csv",
    decimal_comma: bool = False,
    on_wait: Callable[[str], None] = lambda _: None,
) -> ExportReport:
    """
    Write tables into *folder*, a file for each; files of the same names are replaced.

    The warehouse is only read: a DuckDB file is opened alongside other readers, and the export
    waits while a sync has it.

    Args:
        account: Export only rows of these accounts; empty: all.
        table: Names of tables; empty: all except dlt's own.
        form: ``csv``, ``parquet`` or ``xlsx``.
        decimal_comma: For CSV: decimals with a comma, values separated by semicolons.
        on_wait: Called with the process that has the file, if the export has to wait for it.

    Raises:
        ConfigError: The warehouse, a table, an account or the extra is missing, or the folder or a
            file cannot be written.
        DestinationError: The warehouse cannot be read.
    """
    if decimal_comma and form != "csv":
        msg = f"--decimal-comma is for CSV. In {form} files numbers are numbers: leave it out."
        raise ConfigError(msg)
    if form not in WRITERS:
        msg = f"There is no format {printable(form, limit=40)!r}. Formats: {', '.join(WRITERS)}."
        raise ConfigError(msg)
    if not str(folder).strip():
        raise ConfigError("The folder has an empty value. Name the folder that gets the files.")
    target = build_target(destination, database, dataset, pipeline)
    target.check_exists("to export")
    wanted = [str(each) for each in parse_values(table, "table (--table)")]
    accounts = parse_accounts(account)
    wait_s = parse_destination_wait(read_configuration({}).destination_wait)
    with open_tables(target, accounts, wait_s, on_wait) as tables:
        names = _choose(tables.names(), wanted, target)
        _check_accounts(tables, accounts, target)
        folder = _make_folder(folder)
        return _write_all(tables, names, folder, form, comma=decimal_comma)


def _write_all(
    tables: Tables, names: Sequence[str], folder: Path, form: str, *, comma: bool
) -> ExportReport:
    rows: dict[Path, int] = {}
    refused: dict[str, str] = {}
    warnings: list[str] = []
    for name in names:
        count = tables.count(name)
        if count > MOST_ROWS and form == "csv":
            warnings.append(
                f"{name} has {count:,} rows. Excel opens the first {MOST_ROWS:,} of them."
            )
        path = folder / f"{name}.{form}"
        cuts: list[int] = []
        writer = partial(WRITERS[form], comma=comma, on_cut=cuts.append)
        try:
            if count > MOST_ROWS and form == "xlsx":
                raise DoesNotFitError(f"{count:,} rows, and a sheet of Excel holds {MOST_ROWS:,}")
            rows[path] = _write(path, tables, name, writer)
        except DoesNotFitError as error:
            others = (
                "Export it as csv or parquet."
                if form == "xlsx"
                else "Export it in another format, or name the other tables with --table."
            )
            refused[name] = f"{name} has {error}. {others}"
            continue
        warnings += (_warn_of_cuts(name, count) for count in cuts)
    return ExportReport(rows, refused, warnings)


def _warn_of_cuts(name: str, count: int) -> str:
    texts = "1 text that is" if count == 1 else f"{count:,} texts that are"
    return (
        f"{name} has {texts} longer than the {LONGEST_TEXT:,} characters of a cell of Excel, and "
        "cut there. Export it as csv or parquet to have all of them."
    )


def _write(path: Path, tables: Tables, name: str, writer: Writer) -> int:
    """
    Write one file under a temporary name, so that an earlier one is replaced only at the end.

    The file is for those who could read the earlier one.
    """
    part = path.with_name(f"{path.name}.part")
    create_draft(part, path)
    try:
        rows = writer(part, tables.iter_batches(name))
        part.replace(path)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        why = printable(error, limit=100)
        raise DoesNotFitError(f"values that {path.suffix[1:]} cannot hold ({why})") from error
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror or error}. Name another folder."
        raise ConfigError(msg) from error
    finally:
        part.unlink(missing_ok=True)
    return rows


def _choose(known: Sequence[str], wanted: Sequence[str], target: Target) -> Sequence[str]:
    if not known:
        msg = (
            f"{target} has no tables in dataset {target.dataset}. Name the right one with "
            "--dataset."
        )
        raise ConfigError(msg)
    if missing := [name for name in wanted if name not in known]:
        msg = (
            f"{target} has no table {printable(missing[0], limit=80)}. It has: {', '.join(known)}."
        )
        raise ConfigError(msg)
    return [name for name in known if not wanted or name in wanted]


def _check_accounts(tables: Tables, accounts: Sequence[int], target: Target) -> None:
    """Refuse an account without rows: empty files would replace earlier ones."""
    missing, known = set(accounts), set[int]()
    for name in tables.names():
        if not missing:
            return
        found = tables.list_accounts(name)
        missing, known = missing - found, known | found
    if missing:
        others = ", ".join(map(str, sorted(known))) or "none"
        msg = (
            f"{target} has no row of account {min(missing)} in dataset {target.dataset}. It has "
            f"accounts: {others}. Name one of them with --account. Nothing was written."
        )
        raise ConfigError(msg)


def _make_folder(folder: str | Path) -> Path:
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{path} cannot be made: {error.strerror or error}. Name another folder."
        raise ConfigError(msg) from error
    return path
