"""Ask the warehouse with a FastMCP client, without a model: hours by client."""

import asyncio

from fastmcp import Client
from fastmcp.client.transports import StdioTransport

SERVER = StdioTransport("harvest-source", ["mcp", "--database", "harvest_data.duckdb"])


async def main():
    async with Client(SERVER) as client:
        answer = (await client.call_tool("sum_time", {"by": ["client"]})).structured_content
        for row in answer["rows"]:
            print(dict(zip(answer["columns"], row, strict=True)))
        print("as of", answer["as_of"])


if __name__ == "__main__":
    asyncio.run(main())
