"""
A simulated Harvest account over real HTTP.

It implements only the documented and recorded behaviour of Harvest's API and shares no code with
the connector: no test would find an error that both had in common.

Four rooms, each of which imports only those before it: ``data`` (accounts and their records),
``oauth`` (logins and tokens), ``serve`` (from a request to an answer), ``control`` (how tests
change and watch the sandbox). Reading order: `control.sandbox.Sandbox`, `control.world.World`,
`serve.api.Api`, `serve.call.Call`, `data.account.Account`, `data.entries.seeded.SeededEntries`.
"""

from harvest_source.sandbox.control.alterations import CHANGES
from harvest_source.sandbox.control.lookup import EditRefusedError
from harvest_source.sandbox.control.process import SandboxProcess, start_process
from harvest_source.sandbox.control.sandbox import Sandbox, serve
from harvest_source.sandbox.control.world import World
from harvest_source.sandbox.endpoints import CHILDREN, NESTED, REPORTS, TABLES
from harvest_source.sandbox.oauth.logins import Issued
from harvest_source.sandbox.serve.fault_kinds import FAULTS
from harvest_source.sandbox.serve.faults import Fault
from harvest_source.sandbox.serve.request_log import Logged
from harvest_source.sandbox.serve.requests import Request
from harvest_source.sandbox.settings import (
    App,
    Limit,
    ManualClock,
    OAuth,
    Person,
    Settings,
    agency_settings,
)

__all__ = [
    "CHANGES",
    "CHILDREN",
    "FAULTS",
    "NESTED",
    "REPORTS",
    "TABLES",
    "App",
    "EditRefusedError",
    "Fault",
    "Issued",
    "Limit",
    "Logged",
    "ManualClock",
    "OAuth",
    "Person",
    "Request",
    "Sandbox",
    "SandboxProcess",
    "Settings",
    "World",
    "agency_settings",
    "serve",
    "start_process",
]
