"""Two clients that must get the same answers: one with a scope, one on a file without the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mcp import Client, MCPError


class Side:
    """
    One of two clients that must get the same answers.

    Attributes:
        said: All answers that it got.
        cursors: The cursors that it got, with the arguments of their lists.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.said: list[str] = []
        self.cursors: list[dict[str, Any]] = []

    async def ask(self, name: str, arguments: Mapping[str, Any]) -> list[Any]:
        """The pages of an answer, without its age and its cursors; an error is one page."""
        pages: list[Any] = []
        given = dict(arguments)
        while True:
            value = await self._call(name, given)
            self.said.append(json.dumps(value))
            if not isinstance(value, dict):
                return [*pages, value]
            cursor = value.pop("cursor")
            del value["as_of"]
            pages.append(value | {"goes_on": cursor is not None})
            if cursor is None or len(pages) > 9:
                return pages
            given["cursor"] = cursor
            self.cursors.append(dict(given))

    async def _call(self, name: str, arguments: dict[str, Any]) -> Any:
        try:
            if name == "resources/read":
                uri = f"harvest://tables/{arguments['table']}"
                (content,) = (await self.client.read_resource(uri)).contents
                return json.loads(content.model_dump()["text"])
            result = await self.client.call_tool(name, arguments)
        except MCPError as error:
            return str(error)
        (text,) = result.content
        said = text.model_dump()["text"]
        assert result.is_error or json.loads(said) == result.structured_content
        return said if result.is_error else result.structured_content

    async def list_everything(self) -> list[Any]:
        """Tools, resources and prompts, with the text of each prompt."""
        tools = [each.model_dump() for each in (await self.client.list_tools()).tools]
        resources = [each.model_dump() for each in (await self.client.list_resources()).resources]
        prompts = (await self.client.list_prompts()).prompts
        said = [(await self.client.get_prompt(each.name)).model_dump() for each in prompts[:1]]
        return [tools, resources, prompts, said]
