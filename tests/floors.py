"""The floors of the package, and what each room may import."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Floor:
    """Rooms that may import each other, every room below, and these libraries."""

    rooms: frozenset[str]
    libraries: frozenset[str] = frozenset()


def floor(rooms: str, libraries: str = "") -> Floor:
    return Floor(frozenset(rooms.split()), frozenset(libraries.split()))


FLOORS = (
    floor(
        "activity errors exit_codes clock notices concurrency defaults file_permissions formulas "
        "installation lazy_imports machine memory next_command process_limits rotated_file startup "
        "termination _version"
    ),
    floor("schema sql"),
    floor("api decode", "httpx httpcore tenacity msgspec pyarrow"),
    floor("auth", "httpx cryptography filelock keyring platformdirs"),
    floor("dlt_internals", "dlt duckdb pyarrow deltalake pyiceberg"),
    floor("extract config", "httpx pyarrow dlt pendulum"),
    floor("load", "dlt pyarrow"),
    floor("warehouse", "dlt duckdb filelock pyarrow"),
    floor(
        "operations ask export",
        "dlt duckdb httpx pyarrow xlsxwriter mcp mcp_types pydantic anyio jwt starlette uvicorn",
    ),
    floor(
        "cli pages __init__ __main__",
        "dlt click rich anyio platformdirs duckdb altair marimo vl_convert uvicorn",
    ),
)
"""From the bottom up."""

WITHOUT_DLT = frozenset({"schema", "sql", "api", "decode", "auth", "extract", "ask"})
"""Rooms that may not import dlt, whatever their floor allows."""

SANDBOX = "sandbox"
