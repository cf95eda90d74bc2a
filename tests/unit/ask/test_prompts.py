"""The prompts of the server for agents."""

from __future__ import annotations

import re

import pytest

from harvest_source.ask.mcp.prompts import read_prompts
from tests.docs.prompts import FILE, build_prompts

PROMPTS = read_prompts()


def test_prompts_match_the_documented_questions() -> None:
    """The package's file is generated from docs/questions.md and matches it."""
    assert FILE.read_text() == build_prompts()
    assert len(PROMPTS) == 10


@pytest.mark.parametrize("name", PROMPTS)
def test_prompts_query_models_only_if_all_were_built(name: str) -> None:
    """A prompt queries the models if all of its models exist, and the tables otherwise."""
    prompt = PROMPTS[name]
    marts = re.findall(r"harvest_models\.(\w+)", prompt.of_models)
    assert prompt.of_models in prompt.build_text("harvest", ["clients", *marts])
    assert prompt.of_tables in prompt.build_text("harvest", ["clients", *marts[1:]])


def test_prompts_name_the_schemas_of_the_dataset() -> None:
    """If the dataset has another name, both schemas are named after it."""
    for prompt in PROMPTS.values():
        marts = re.findall(r"harvest_models\.(\w+)", prompt.of_models)
        for tables in ((), marts):
            text = prompt.build_text("acme", tables)
            assert '"acme' in text
            assert not re.search(r"\bharvest(_models)?\.", text)
