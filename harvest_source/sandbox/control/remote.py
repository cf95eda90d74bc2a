"""Control over HTTP: the methods of `World` as JSON commands under ``/_sandbox/``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from harvest_source.sandbox.checks import check_number
from harvest_source.sandbox.control.world import World
from harvest_source.sandbox.data.values import dumps, epoch, iso, parse_number
from harvest_source.sandbox.serve.reply import Reply
from harvest_source.sandbox.serve.requests import Request
from harvest_source.sandbox.settings import ManualClock

Command = Callable[[World, dict[str, Any]], Any]

_REFUSALS: Final = (ValueError, TypeError, LookupError, ArithmeticError, RecursionError)
"""What arguments that cannot be used raise: a moment out of range, JSON nested too deeply."""


def _method(name: str) -> Command:
    """A method of `World`: the JSON members are its keyword arguments."""
    return lambda world, arguments: getattr(world, name)(**arguments)


def _function(function: Callable[..., Any]) -> Command:
    """A function: the JSON members are its keyword arguments, and no others."""
    return lambda world, arguments: function(world, **arguments)


def _fault(world: World, **arguments: Any) -> Any:
    return {"name": world.fault(**arguments).name}


def _requests(world: World) -> Any:
    return [asdict(entry) | {"time": entry.time.isoformat()} for entry in world.requests]


def _secrets(world: World) -> Any:
    return world.secrets


def _advance(world: World, *, seconds: float) -> Any:
    check_number("seconds", seconds)
    clock = world.settings.clock
    if not isinstance(clock, ManualClock):
        msg = "This sandbox runs on the real clock"
        raise ValueError(msg)
    moment: datetime = clock.advance(float(seconds))
    return {"now": iso(epoch(moment))}


COMMANDS: dict[str, Command] = {
    **{
        name: _method(name)
        for name in (
            "stats",
            "rows",
            "row",
            "count",
            "report",
            "create",
            "edit",
            "edit_many",
            "delete",
            "churn",
            "alter",
            "clear_alterations",
            "clear_faults",
            "reset_requests",
            "revoke",
            "restore_token",
            "set_role",
            "set_module",
            "set_limit",
            "set_latency",
            "use_allowance",
            "set_oauth",
            "issue_code",
            "issue_tokens",
            "expire_access_token",
        )
    },
    "fault": _function(_fault),
    "requests": _function(_requests),
    "secrets": _function(_secrets),
    "advance": _function(_advance),
}


def control_reply(world: World, command: str, request: Request) -> Reply:
    """
    Carry out *command*: arguments from the JSON body, or from the query of a GET.

    The answer to an unknown command or a refused edit is a 400 with ``{"error": ...}``.
    """
    try:
        if command not in COMMANDS:
            msg = f"No command {command}; there are {', '.join(sorted(COMMANDS))}"
            raise ValueError(msg)
        return Reply(200, dumps(COMMANDS[command](world, _arguments(request))))
    except _REFUSALS as error:
        return Reply(400, dumps({"error": str(error) or type(error).__name__}))


def _arguments(request: Request) -> dict[str, Any]:
    if request.body:
        content = json.loads(request.body, parse_float=parse_number)
        if not isinstance(content, dict):
            msg = "The body has to be a JSON object"
            raise ValueError(msg)
        return content
    ids = ("account_id", "record_id")
    return {name: int(text) if name in ids else text for name, text in request.params.items()}
