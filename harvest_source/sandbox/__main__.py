"""``python -m harvest_source.sandbox``: serve a simulated account until interrupted."""

from __future__ import annotations

import argparse
from functools import partial

from harvest_source.sandbox.control.sandbox import serve
from harvest_source.sandbox.serve.server import LOOPBACK
from harvest_source.sandbox.settings import Settings, agency_settings

FIRST_ACCOUNT = 1000001


def build_parser() -> argparse.ArgumentParser:
    """The options of the command."""
    default = Settings()
    parser = argparse.ArgumentParser("sandbox", description="A simulated Harvest account.")
    parser.add_argument("--host", default=LOOPBACK)
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one")
    parser.add_argument("--data", choices=("varied", "agency"), default=default.data)
    for size in ("entries", "seed", "users", "clients", "projects", "tasks", "contacts",
                 "invoices", "estimates", "expenses", "years"):  # fmt: skip
        parser.add_argument(f"--{size}", type=int, default=getattr(default, size))
    parser.add_argument("--accounts", type=int, default=1, help="how many accounts")
    parser.add_argument("--latency-ms", type=float, default=0, help="delay before every answer")
    parser.add_argument("--no-limit", action="store_true", help="without rate limits")
    parser.add_argument("--cursor-entries", action="store_true", help="time entries by cursor")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def build_settings(options: argparse.Namespace) -> Settings:
    """The settings that the options ask for; an agency's other sizes follow from its entries."""
    varied = ("years", "users", "clients", "projects", "tasks", "contacts", "invoices",
              "estimates", "expenses")  # fmt: skip
    sizes = {name: getattr(options, name) for name in varied}
    build = partial(Settings, **sizes) if options.data == "varied" else agency_settings
    return build(
        entries=options.entries,
        seed=options.seed,
        accounts=tuple(range(FIRST_ACCOUNT, FIRST_ACCOUNT + options.accounts)),
        limit=not options.no_limit,
        cursor_tables=("time_entries",) if options.cursor_entries else (),
        latency_ms=options.latency_ms,
    )


def main() -> None:
    """Run the command."""
    options = build_parser().parse_args()
    serve(build_settings(options), options.host, options.port, as_json=options.json)


if __name__ == "__main__":
    main()
