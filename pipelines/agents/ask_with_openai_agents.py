"""Ask the warehouse with OpenAI Agents: python ask_with_openai_agents.py MODEL QUESTION."""

import asyncio
import sys

from agents import Agent, Runner
from agents.mcp import MCPServerStdio

SERVER = {"command": "harvest-source", "args": ["mcp", "--database", "harvest_data.duckdb"]}


async def ask(model, question):
    # A question may wait for a sync: longer than the 5 seconds that the library waits by itself.
    async with MCPServerStdio(SERVER, client_session_timeout_seconds=60) as server:
        agent = Agent(
            "Harvest",
            model=model,
            mcp_servers=[server],
            # The model has to fill in every argument, those with a default too.
            mcp_config={"convert_schemas_to_strict": True},
        )
        return (await Runner.run(agent, question)).final_output


if __name__ == "__main__":
    print(asyncio.run(ask(sys.argv[1], sys.argv[2])))
