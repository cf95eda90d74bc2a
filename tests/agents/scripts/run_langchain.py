"""``pipelines/agents/ask_with_langchain.py`` with a model that follows a script."""

import asyncio
import json
import runpy
import sys

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult

WRONG = {"table": "clients", "where": ["nam~Client"]}
RIGHT = {"table": "clients", "where": ["name~Client"], "columns": ["name"], "limit": 2}


class Script(BaseChatModel):
    """Asks for a wrong column, corrects it from the error message, and answers."""

    @property
    def _llm_type(self):
        return "script"

    def bind_tools(self, tools, **_):
        assert {"list_tables", "sum_time", "query"} <= {tool.name for tool in tools}
        return self

    def _generate(self, messages, stop=None, run_manager=None, **_):
        said = ChatGeneration(message=self._answer(messages[-1]))
        return ChatResult(generations=[said])

    def _answer(self, last):
        if not isinstance(last, ToolMessage):
            return call(WRONG, "1")
        if last.status == "error":
            assert "Did you mean name" in last.text, last.text
            return call(RIGHT, "2")
        return AIMessage(json.dumps(json.loads(last.text)["rows"]))


def call(arguments, number):
    return AIMessage("", tool_calls=[{"name": "list_records", "args": arguments, "id": number}])


ask = runpy.run_path(sys.argv[1])["ask"]
print(asyncio.run(ask(Script(), "Which clients are there?")))
