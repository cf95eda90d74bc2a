"""The protocol's own client, in either era of the protocol."""

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from talk import CONNECTION, build_headers, run, talk


async def main():
    if "command" in CONNECTION:
        await converse(stdio_client(StdioServerParameters(**server())))
        return
    async with httpx2.AsyncClient(headers=build_headers(), trust_env=False, timeout=60) as web:
        await converse(streamable_http_client(CONNECTION["url"], http_client=web))


def server():
    return {name: CONNECTION[name] for name in ("command", "args", "env")}


async def converse(transport):
    async with Client(transport, mode=CONNECTION["mode"]) as client:

        async def list_tools():
            return (await client.list_tools()).tools

        async def call(name, arguments):
            result = await client.call_tool(name, arguments)
            return result.is_error, result.content[0].text

        await talk(list_tools, call)


run(main)
