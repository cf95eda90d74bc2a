"""``pipelines/agents/ask_with_openai_agents.py`` with a model that follows a script."""

import asyncio
import json
import runpy
import sys

from agents import ModelResponse, Usage, set_tracing_disabled
from agents.models.interface import Model
from openai.types.responses import (
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseOutputText,
)

EVERY_ARGUMENT = {
    "table": "clients",
    "where": ["name~Client"],
    "columns": ["name"],
    "order": [],
    "limit": 2,
    "cursor": None,
}


class Script(Model):
    """Lists records, with each argument filled in as a strict schema demands, and answers."""

    async def get_response(self, system_instructions, input, *args, **fields):  # noqa: A002
        tools = {tool.name: tool for tool in (fields.get("tools") or args[1])}
        schema = tools["list_records"].params_json_schema
        assert tools["list_records"].strict_json_schema
        assert set(schema["required"]) == set(EVERY_ARGUMENT), schema
        last = input[-1] if isinstance(input, list) else {}
        if last.get("type") != "function_call_output":
            call = ResponseFunctionToolCall(
                call_id="1",
                name="list_records",
                arguments=json.dumps(EVERY_ARGUMENT),
                type="function_call",
            )
            return ModelResponse(output=[call], usage=Usage(), response_id=None)
        output = last["output"]
        text = output if isinstance(output, str) else output[0]["text"]
        found = json.loads(text)
        rows = found["rows"] if "rows" in found else json.loads(found["text"])["rows"]
        content = ResponseOutputText(annotations=[], text=json.dumps(rows), type="output_text")
        message = ResponseOutputMessage(
            id="2", content=[content], role="assistant", status="completed", type="message"
        )
        return ModelResponse(output=[message], usage=Usage(), response_id=None)

    def stream_response(self, *args, **fields):
        raise NotImplementedError


set_tracing_disabled(True)
ask = runpy.run_path(sys.argv[1])["ask"]
print(asyncio.run(ask(Script(), "Which clients are there?")))
