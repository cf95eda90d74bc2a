"""The prompts of the server for agents, from ``docs/questions.md``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Final

from tests.docs.blocks import iter_blocks
from tests.docs.pages import FOLDER, REPOSITORY

FILE: Final[Path] = REPOSITORY / "harvest_source" / "ask" / "mcp" / "prompts.json"


def build_prompts() -> str:
    """Each question with its two queries, in the package's form."""
    prompts = []
    for part in re.split(r"^## ", (FOLDER / "questions.md").read_text(), flags=re.MULTILINE)[1:]:
        question = part.partition("\n")[0]
        of_models, of_tables = (block.text for block in iter_blocks(part) if block.kind == "sql")
        name = re.sub(r"[^a-z]+", "_", question.lower()).strip("_")
        prompts.append(
            {
                "name": name,
                "question": question,
                "of_models": of_models,
                "of_tables": of_tables,
            }
        )
    return json.dumps(prompts, indent=1) + "\n"


def write_prompts() -> None:
    """Write the package's file of prompts."""
    FILE.write_text(build_prompts())
