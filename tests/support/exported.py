"""Readers for the files that ``harvest-source export`` writes."""

from __future__ import annotations

import csv
from pathlib import Path

import openpyxl


def read_csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """The rows of a CSV file, by column."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def read_excel(path: Path) -> list[dict[str, object]]:
    """The rows of an Excel file's sheet, by column."""
    sheet = openpyxl.load_workbook(path).active
    head, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(head, row, strict=True)) for row in rows]
