"""Ask the warehouse with Pydantic AI: python ask_with_pydantic_ai.py MODEL QUESTION."""

import asyncio
import sys

from fastmcp.client.transports import StdioTransport
from pydantic_ai import Agent
from pydantic_ai.mcp import MCPToolset

SERVER = StdioTransport("harvest-source", ["mcp", "--database", "harvest_data.duckdb"])


async def ask(model, question):
    # A refused call says what to try; it goes back to the model, which tries again by itself.
    agent = Agent(model, toolsets=[MCPToolset(SERVER)], retries=3)
    async with agent:
        return (await agent.run(question)).output


if __name__ == "__main__":
    print(asyncio.run(ask(sys.argv[1], sys.argv[2])))
