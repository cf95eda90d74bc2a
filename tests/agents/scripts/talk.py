"""
A conversation with a server, for each client library: requests and answers are lines of JSON.

``{"name": TOOL, "arguments": {...}}`` calls a tool, ``{}`` lists them. The first argument of a
script says how to connect; the token of a caller is in the environment.
"""

import asyncio
import json
import os
import sys
import traceback

CONNECTION = json.loads(sys.argv[1])
"""``url`` and ``headers``, or ``command`` and ``args``; ``mode``, an era of the protocol."""


def build_headers():
    """Those of the connection, with the caller's token."""
    return {"Authorization": f"Bearer {os.environ['TOKEN']}", **CONNECTION.get("headers", {})}


async def talk(list_tools, call_tool):
    """
    Answer every line of stdin.

    Args:
        list_tools: Gives tools.
        call_tool: Gives whether it is an error, and the text.
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
        except Exception:  # Each library has its own; all of it is looked through.
            write({"failed": traceback.format_exc()})


def run(main):
    """Run *main*; what prevents a connection is an answer, too."""
    try:
        asyncio.run(main())
    except BaseException:
        write({"failed": traceback.format_exc()})


def write(answer):
    """One line."""
    print(json.dumps(answer), flush=True)
