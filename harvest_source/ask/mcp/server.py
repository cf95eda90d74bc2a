"""
The server: tools, table descriptions as resources, questions as prompts; nothing that writes.

Built on the protocol library's low-level server, which passes on what an agent sent unchecked. This
module checks it and turns every error into a short text, before the library can print a traceback
or echo an argument.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread
import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from harvest_source._version import __version__
from harvest_source.ask.access import Access, Caller, Find
from harvest_source.ask.answers import Answer
from harvest_source.ask.audit_log import UNKNOWN, AuditFailed, AuditLog, Call
from harvest_source.ask.callers import NotConfirmedError
from harvest_source.ask.mcp.prompts import Prompt, read_prompts
from harvest_source.ask.mcp.replies import NOTICE, OUTPUT_SCHEMA, build_reply, limit_size
from harvest_source.ask.mcp.tools import TOOLS, Tool, parse_arguments
from harvest_source.ask.runner import CancellableQuestion, QueryFailed
from harvest_source.ask.shown_text import clean
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.ask.trouble import Trouble
from harvest_source.clock import Clock
from harvest_source.errors import DestinationError, HarvestError

INSTRUCTIONS: Final = (
    "A read-only copy of a Harvest account: time entries, projects, clients, people, invoices, "
    "expenses. Begin with list_tables. Prefer tables named harvest__..., where they exist. "
    "Amounts of different currencies are never added. Say as_of with every figure. " + NOTICE
)
_NO_TOOL: Final = "There is no such tool here. See tools/list."
_NO_PROMPT: Final = "There is no such prompt here. See prompts/list."
_NO_RESOURCE: Final = "There is no such resource here. See resources/list."
_BUG: Final = "The question failed by a fault in harvest-source. The server's log has its kind."
_UNREADABLE: Final = (
    "The warehouse cannot be read at the moment: a sync may be writing it. Try again in a minute. "
    "If that does not help, tell the person who runs the server, who can see the reason."
)
_FOR_CALLERS: Final = (StatementRefused, QueryFailed, NotConfirmedError, AuditFailed)
"""Errors about the call itself. The text of any other may describe the server's machine."""
_RESOURCE: Final = "harvest://tables/"

Context = Any


@dataclass(frozen=True, slots=True)
class AskServer:
    """
    Answers the requests of one protocol server.

    Attributes:
        find_caller: Finds who a request is from.
        trouble: Tells the person who runs the server why the warehouse cannot be read. Callers are
            then not told, because the reason names files, users and processes of the machine.
            None: the caller is the person who runs the server.
    """

    access: Access
    find_caller: Find
    audit: AuditLog
    clock: Clock
    trouble: Trouble | None = None

    def build(self) -> Server[Any]:
        """Build the protocol server with our handlers."""
        return Server(
            "harvest-source",
            version=__version__,
            title="Harvest warehouse",
            instructions=INSTRUCTIONS,
            on_list_tools=self.list_tools,
            on_call_tool=self.call_tool,
            on_list_resources=self.list_resources,
            on_read_resource=self.read_resource,
            on_list_prompts=self.list_prompts,
            on_get_prompt=self.get_prompt,
        )

    async def list_tools(self, context: Context, _: Any) -> types.ListToolsResult:
        """List the caller's tools, with the schemas of their arguments and answers."""
        tools = [describe_tool(tool) for tool in find_tools(self.find_caller(context)).values()]
        return types.ListToolsResult(tools=tools, cache_scope="private")

    async def call_tool(
        self, context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Check a call, run it in a worker, and write it to the audit log."""
        caller = self.find_caller(context)
        try:
            tool = params.name if params.name in TOOLS else UNKNOWN
            async with self._logged(tool, caller) as call:
                return _build_result(await self._run(call, params.name, params.arguments))
        except HarvestError as error:
            return _build_error(str(error))

    async def list_resources(self, context: Context, _: Any) -> types.ListResourcesResult:
        """List a description for each table."""
        caller = self.find_caller(context)
        if not caller.scope.allows("list_tables"):
            return types.ListResourcesResult(resources=[], cache_scope="private")
        with protocol_errors():
            async with self._logged("resources/list", caller) as call:
                answer = await self._run(call, "list_tables", {}, is_whole=True)
        found = [
            types.Resource(
                name=clean(record["name"]),
                uri=_RESOURCE + clean(record["name"]),
                description=clean(record["description"]) or None,
                mime_type="application/json",
            )
            for record in answer.records()
        ]
        return types.ListResourcesResult(resources=found, cache_scope="private")

    async def read_resource(
        self, context: Context, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Read the columns of a table."""
        uri = str(params.uri)
        with protocol_errors():
            async with self._logged("resources/read", self.find_caller(context)) as call:
                if not uri.startswith(_RESOURCE) or not call.caller.scope.allows("describe_table"):
                    raise StatementRefused(_NO_RESOURCE)
                table = {"table": uri.removeprefix(_RESOURCE)}
                answer = await self._run(call, "describe_table", table)
        contents = types.TextResourceContents(
            uri=params.uri, mime_type="application/json", text=json.dumps(build_reply(answer))
        )
        return types.ReadResourceResult(contents=[contents], cache_scope="private")

    async def list_prompts(self, context: Context, _: Any) -> types.ListPromptsResult:
        """List everyday questions, for callers who may run a query."""
        found = [
            types.Prompt(name=each.name, title=each.question, description=each.question)
            for each in find_prompts(self.find_caller(context)).values()
        ]
        return types.ListPromptsResult(prompts=found, cache_scope="private")

    async def get_prompt(
        self, context: Context, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        """Get a question with the query that answers it here: on models if they were built."""
        with protocol_errors():
            async with self._logged("prompts/get", self.find_caller(context)) as call:
                prompt = find_prompts(call.caller).get(params.name)
                if prompt is None:
                    raise StatementRefused(_NO_PROMPT)
                if params.arguments:
                    raise StatementRefused("Prompts take no arguments here.")
                call.arguments = {"prompt": prompt.name}
                answer = await self._ask(call, "list_tables", {}, is_whole=True)
        names = [record["name"] for record in answer.records()]
        text = prompt.build_text(self.access.runner.dataset, names)
        message = types.PromptMessage(
            role="user", content=types.TextContent(type="text", text=text)
        )
        return types.GetPromptResult(description=prompt.question, messages=[message])

    async def _run(
        self, call: Call, name: str, given: dict[str, Any] | None, *, is_whole: bool = False
    ) -> Answer:
        """Ask the warehouse with one of the caller's tools; for them no other tool exists."""
        # Looked up among the caller's tools, so that a hidden tool takes the same steps as one that
        # does not exist.
        if find_tools(call.caller).get(name) is None:
            raise StatementRefused(_NO_TOOL)
        return await self._ask(call, name, given, is_whole=is_whole)

    async def _ask(
        self, call: Call, name: str, given: dict[str, Any] | None, *, is_whole: bool = False
    ) -> Answer:
        """
        Ask the warehouse for the caller.

        Args:
            is_whole: Do not shorten the answer: what is made from it is shorter.
        """
        tool = TOOLS[name]
        arguments = parse_arguments(tool, given)
        call.arguments = call.arguments or given or {}
        with self._hidden_reasons():
            answer = await run_cancellable(
                lambda task: tool.answer(self.access.open(call.caller, task), arguments)
            )
        answer = answer if is_whole else limit_size(answer)
        call.tables, call.rows = answer.tables, len(answer.rows)
        return answer

    @contextmanager
    def _hidden_reasons(self) -> Iterator[None]:
        """
        Tell a remote caller no reason that is about the machine; note when the trouble is over.

        Raises:
            DestinationError: Replaces any error whose text may describe the machine.
        """
        try:
            yield
        except _FOR_CALLERS:
            raise
        except HarvestError as error:
            if self.trouble is None:
                raise
            self.trouble.begin(f"Calls are not answered until this is over: {error}")
            raise DestinationError(_UNREADABLE) from None
        if self.trouble is not None:
            self.trouble.end()

    @asynccontextmanager
    async def _logged(self, tool: str, caller: Caller) -> AsyncIterator[Call]:
        """
        Write an audit line about the block, whether it succeeds or fails.

        Raises:
            QueryFailed: Replaces an error that is not ours, whose message may contain anything.
            AuditFailed: The line could not be written, so the call is not answered.
        """
        began = self.clock.monotonic()
        call = Call(caller)
        try:
            yield call
            call.outcome = "ok"
        except HarvestError as error:
            call.outcome = type(error).__name__
            raise
        except anyio.get_cancelled_exc_class():
            call.outcome = "cancelled"
            raise
        except Exception as error:
            call.outcome = f"bug: {type(error).__name__}"
            raise QueryFailed(_BUG) from None
        finally:
            passed = round((self.clock.monotonic() - began) * 1000)
            try:
                self.audit.write(tool, call, ms=passed)
            except AuditFailed:
                if call.outcome != "cancelled":  # A cancelled call gets no answer anyway.
                    raise


def find_tools(caller: Caller) -> dict[str, Tool]:
    """The tools that a caller may use, by name."""
    return {name: tool for name, tool in TOOLS.items() if caller.scope.allows(name)}


def find_prompts(caller: Caller) -> Mapping[str, Prompt]:
    """The prompts that a caller may use, by name; they need the tool query."""
    return read_prompts() if caller.scope.allows("query") else {}


@contextmanager
def protocol_errors() -> Iterator[None]:
    """Turn our errors into protocol errors, for requests whose result cannot express an error."""
    try:
        yield
    except HarvestError as error:
        raise MCPError(types.INVALID_PARAMS, str(error)) from None


async def run_cancellable(function: Callable[[CancellableQuestion], Answer]) -> Answer:
    """
    Run *function* in a thread; if the call is cancelled, its worker process is killed.

    Args:
        function: Called with the task that its worker belongs to.
    """
    task = CancellableQuestion()
    try:
        return await anyio.to_thread.run_sync(partial(function, task), abandon_on_cancel=True)
    finally:
        task.end()


def describe_tool(tool: Tool) -> types.Tool:
    """Describe a tool as agents see it."""
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
    """Serve one client on stdin and stdout until it disconnects."""
    # The library logs failures with their arguments; the audit log has what is needed.
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
