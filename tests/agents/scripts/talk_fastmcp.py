"""The client of FastMCP."""

from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport
from talk import CONNECTION, build_headers, run, talk


async def main():
    if "command" in CONNECTION:
        place = StdioTransport(CONNECTION["command"], CONNECTION["args"], env=CONNECTION["env"])
    else:
        place = StreamableHttpTransport(CONNECTION["url"], headers=build_headers())
    async with Client(place, mode=CONNECTION["mode"]) as client:

        async def call(name, arguments):
            result = await client.call_tool(name, arguments, raise_on_error=False)
            return result.is_error, result.content[0].text

        await talk(client.list_tools, call)


run(main)
