"""Ask the warehouse with LangChain: python ask_with_langchain.py MODEL QUESTION."""

import asyncio
import sys

from langchain.agents import create_agent
from langchain_mcp_adapters.client import MultiServerMCPClient

SERVER = {
    "transport": "stdio",
    "command": "harvest-source",
    "args": ["mcp", "--database", "harvest_data.duckdb"],
}


async def ask(model, question):
    tools = await MultiServerMCPClient({"harvest": SERVER}).get_tools()
    answer = await create_agent(model, tools).ainvoke({"messages": [("user", question)]})
    return answer["messages"][-1].text


if __name__ == "__main__":
    print(asyncio.run(ask(sys.argv[1], sys.argv[2])))
