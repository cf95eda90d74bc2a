"""``pipelines/agents/ask_with_pydantic_ai.py`` with a model that follows a script."""

import asyncio
import json
import runpy
import sys

from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import FunctionModel

WRONG = {"table": "clients", "where": ["nam~Client"]}
RIGHT = {"table": "clients", "where": ["name~Client"], "columns": ["name"], "limit": 2}


def follow(messages, info):
    """Ask for a wrong column, correct it from the error message, and answer."""
    names = {tool.name for tool in info.function_tools}
    assert {"list_tables", "sum_time", "query"} <= names, names
    last = messages[-1].parts[-1]
    if len(messages) == 1:
        return ModelResponse(parts=[ToolCallPart("list_records", WRONG)])
    if last.outcome == "retried":
        assert "Did you mean name" in last.content, last.content
        return ModelResponse(parts=[ToolCallPart("list_records", RIGHT)])
    found = last.content if isinstance(last.content, dict) else json.loads(last.content)
    return ModelResponse(parts=[TextPart(json.dumps(found["rows"]))])


ask = runpy.run_path(sys.argv[1])["ask"]
print(asyncio.run(ask(FunctionModel(follow), "Which clients are there?")))
