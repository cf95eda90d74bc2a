"""The connections of OpenAI Agents without a model: what such an agent lists and calls."""

from agents.mcp import MCPServerStdio, MCPServerStreamableHttp
from talk import CONNECTION, build_headers, run, talk


async def main():
    if "command" in CONNECTION:
        params = {name: CONNECTION[name] for name in ("command", "args", "env")}
        place = MCPServerStdio(params, client_session_timeout_seconds=60)
    else:
        params = {"url": CONNECTION["url"], "headers": build_headers(), "timeout": 60}
        place = MCPServerStreamableHttp(params, client_session_timeout_seconds=60)
    async with place as server:

        async def call(name, arguments):
            result = await server.call_tool(name, arguments)
            is_error = getattr(result, "is_error", None) or getattr(result, "isError", None)
            return is_error, result.content[0].text

        await talk(server.list_tools, call)


run(main)
