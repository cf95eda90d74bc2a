"""
Talk to a server through any client library: requests and answers are lines of JSON.

``{"name": TOOL, "arguments": {...}}`` calls a tool, ``{}`` lists the tools. The first argument of a
script says how to connect; the caller's token is in the environment.
"""

import asyncio
import json
import os
import sys
import traceback

CONNECTION = json.loads(sys.argv[1])
"""``url`` and ``headers``, or ``command`` and ``args``; ``mode`` is an era of the protocol."""


def build_headers():
    """The connection's headers, with the caller's token."""
    return {"Authorization": f"Bearer {os.environ['TOKEN']}", **CONNECTION.get("headers", {})}


async def talk(list_tools, call_tool):
    """
    Answer every line of stdin.

    Args:
        list_tools: Returns the tools.
        call_tool: Returns whether the answer is an error, and its text.
    """
    write({"is_connected": True})
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        try:
            if "name" in asked:
                is_error, text = await call_tool(asked["name"], asked["arguments"])
                write({"is_error": bool(is_error), "text": text})
            else:
                write({"tools": [tool.name for tool in await list_tools()]})
        except Exception:  # Each library has its own; the tests search the whole traceback.
            write({"failed": traceback.format_exc()})


def run(main):
    """Run *main*; a failure to connect is printed as an answer too."""
    try:
        asyncio.run(main())
    except BaseException:
        write({"failed": traceback.format_exc()})


def write(answer):
    """Print *answer* as one line of JSON."""
    print(json.dumps(answer), flush=True)
