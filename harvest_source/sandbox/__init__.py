"""
A simulated Harvest account over real HTTP.

Written from the API's documented and recorded behaviour alone; shares no code with the connector,
so that a misreading on one side shows. Start reading at `server.Sandbox`, then `control.World`
(what can be done to it), `api` and `serving` (how a request is answered), `hours` and `entries`
(how millions of rows are served without being stored), `report_rows`, and `identity` (OAuth).
"""

from harvest_source.sandbox.alterations import CHANGES
from harvest_source.sandbox.control import World
from harvest_source.sandbox.edits import EditRefusedError
from harvest_source.sandbox.endpoints import CHILDREN, NESTED, REPORTS, TABLES
from harvest_source.sandbox.faults import FAULTS, Fault
from harvest_source.sandbox.logins import Issued
from harvest_source.sandbox.requests import Logged, Request
from harvest_source.sandbox.server import Sandbox, SandboxProcess, serve, start_process
from harvest_source.sandbox.settings import App, Limit, ManualClock, OAuth, Person, Settings

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
    "serve",
    "start_process",
]
