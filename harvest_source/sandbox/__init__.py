"""
A simulated Harvest account over real HTTP.

Written from the API's documented and recorded behaviour alone; shares no code with the connector,
so that a misreading on one side shows. Start reading at `server.Sandbox`, then `control.World`
(what can be done to it), `api` (how a request is answered), `hours` and `entries` (how millions of
rows are served without being stored).
"""

from harvest_source.sandbox.alterations import CHANGES
from harvest_source.sandbox.control import World
from harvest_source.sandbox.edits import EditRefusedError
from harvest_source.sandbox.endpoints import TABLES
from harvest_source.sandbox.faults import FAULTS, Fault
from harvest_source.sandbox.requests import Logged, Request
from harvest_source.sandbox.server import Sandbox, SandboxProcess, serve, start_process
from harvest_source.sandbox.settings import Limit, ManualClock, Person, Settings

__all__ = [
    "CHANGES",
    "FAULTS",
    "TABLES",
    "EditRefusedError",
    "Fault",
    "Limit",
    "Logged",
    "ManualClock",
    "Person",
    "Request",
    "Sandbox",
    "SandboxProcess",
    "Settings",
    "World",
    "serve",
    "start_process",
]
