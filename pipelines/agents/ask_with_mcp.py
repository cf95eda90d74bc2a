"""Ask the warehouse with the protocol's own client, without a model: hours by client."""

import asyncio
import sys

from mcp import Client, StdioServerParameters, stdio_client

SERVER = StdioServerParameters(
    command="harvest-source", args=["mcp", "--database", "harvest_data.duckdb"]
)


async def main(mode: str) -> None:
    async with Client(stdio_client(SERVER), mode=mode) as client:
        answer = (await client.call_tool("sum_time", {"by": ["client"]})).structured_content
        for row in answer["rows"]:
            print(dict(zip(answer["columns"], row, strict=True)))
        print("as of", answer["as_of"])


if __name__ == "__main__":
    # "legacy" speaks the protocol as it was before its revision of 2026-07-28.
    asyncio.run(main(sys.argv[1] if sys.argv[1:] else "auto"))
