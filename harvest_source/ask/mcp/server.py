"""
The server: tools, table descriptions as resources, and nothing that writes.

Built on the protocol library's lower level, which hands over what an agent sent as it is: here it
is checked, and here every error becomes a short text, before the library could print a traceback
or echo an argument.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from harvest_source._version import __version__
from harvest_source.ask import records
from harvest_source.ask.answers import Answer
from harvest_source.ask.mcp.audit_log import AuditLog
from harvest_source.ask.mcp.replies import NOTICE, OUTPUT_SCHEMA, build_reply, fit
from harvest_source.ask.mcp.tools import TOOLS, Tool, parse_arguments
from harvest_source.ask.runner import Runner, Task
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.clock import Clock
from harvest_source.errors import HarvestError

INSTRUCTIONS: Final = (
    "A read-only copy of a Harvest account: time entries, projects, clients, people, invoices, "
    "expenses. Begin with list_tables. Prefer tables named harvest__..., where they exist. "
    "Amounts of different currencies are never added. Say as_of with every figure. " + NOTICE
)
_UNKNOWN: Final = "There is no such tool here. See tools/list."
_BUG: Final = "The question failed by a fault in harvest-source. The server's log has its kind."
_RESOURCE: Final = "harvest://tables/"

Context = Any


@dataclass(frozen=True, slots=True)
class AskServer:
    """Answers the requests of one protocol server."""

    runner: Runner
    audit: AuditLog
    clock: Clock

    def build(self) -> Server[Any]:
        """The protocol server with our handlers."""
        return Server(
            "harvest-source",
            version=__version__,
            title="Harvest warehouse",
            instructions=INSTRUCTIONS,
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_read_resource=self.read_resource,
        )

    async def list_tools(self, _: Context, __: Any) -> types.ListToolsResult:
        """Every tool, with the schema of its arguments and answers."""
        return types.ListToolsResult(
            tools=[describe_tool(tool) for tool in TOOLS.values()], cache_scope="private"
        )

    async def call_tool(
        self, _: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """One call: checked, run in a worker, written to the audit log."""
        began = self.clock.monotonic()
        rows, outcome = 0, "ok"
        try:
            answer = fit(await self._run(params.name, params.arguments))
            rows = len(answer.rows)
            return _build_result(answer)
        except HarvestError as error:
            outcome = type(error).__name__
            return _build_error(str(error))
        except anyio.get_cancelled_exc_class():
            outcome = "cancelled"
            raise
        except Exception as error:
            outcome = f"bug: {type(error).__name__}"
            return _build_error(_BUG)
        finally:
            passed = round((self.clock.monotonic() - began) * 1000)
            self.audit.write(params.name, params.arguments, rows=rows, ms=passed, outcome=outcome)

    async def list_resources(self, _: Context, __: Any) -> types.ListResourcesResult:
        """One description for each table."""
        answer = await run_cancellable(partial(records.list_tables, warehouse=self.runner))
        found = [
            types.Resource(
                name=record["name"],
                uri=_RESOURCE + record["name"],
                description=record["description"] or None,
                mime_type="application/json",
            )
            for record in answer.records()
        ]
        return types.ListResourcesResult(resources=found, cache_scope="private")

    async def read_resource(
        self, _: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """The columns of a table."""
        name = str(params.uri).removeprefix(_RESOURCE)
        try:
            answer = fit(await self._run("describe_table", {"table": name}))
            text = json.dumps(build_reply(answer))
        except HarvestError as error:
            text = json.dumps({"error": str(error)})
        contents = types.TextResourceContents(
            uri=params.uri, mime_type="application/json", text=text
        )
        return types.ReadResourceResult(contents=[contents], cache_scope="private")

    async def _run(self, name: str, given: dict[str, Any] | None) -> Answer:
        tool = TOOLS.get(name)
        if tool is None:
            raise StatementRefused(_UNKNOWN)
        arguments = parse_arguments(tool, given)
        return await run_cancellable(
            lambda task: tool.answer(self.runner.bound_to(task), arguments), takes_task=True
        )


async def run_cancellable(function: Callable[..., Answer], *, takes_task: bool = False) -> Answer:
    """
    Run *function* in a thread; when the call is cancelled, its worker process is ended.

    Args:
        takes_task: It is given the task that its worker belongs to.
    """
    task = Task()
    try:
        return await anyio.to_thread.run_sync(
            partial(function, task) if takes_task else function, abandon_on_cancel=True
        )
    finally:
        task.end()


def describe_tool(tool: Tool) -> types.Tool:
    """A tool as agents see it."""
    schema = tool.arguments.model_json_schema()
    schema.pop("description", None)
    return types.Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=schema,
        output_schema=OUTPUT_SCHEMA,
        annotations=types.ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )


async def serve_stdio(server: AskServer) -> None:
    """Serve one client on stdin and stdout until it goes away."""
    # The library logs failures with their arguments; the audit log says what is to be known.
    logging.getLogger("mcp").setLevel(logging.CRITICAL)
    built = server.build()
    async with stdio_server() as (read, write):
        await built.run(read, write, built.create_initialization_options())


def _build_result(answer: Answer) -> types.CallToolResult:
    value = build_reply(answer)
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=json.dumps(value))], structured_content=value
    )


def _build_error(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=True)
