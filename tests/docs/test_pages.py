"""Every document is true: pages, links, files, commands, keys, and blocks of code."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from harvest_source.ask.scopes import parse_scopes
from harvest_source.cli.main import EMPTY_REPORT
from tests.docs import reference
from tests.docs.blocks import BEGIN, PART, Block, iter_blocks, iter_inline_code
from tests.docs.commands import check_ours
from tests.docs.generate import fill
from tests.docs.pages import DOCUMENTS, FOLDER, PAGES, README, REPOSITORY, Page, relative

YOURS = {".dlt/secrets.toml"}
"""Files that readers create."""

PROGRAMS = {"export", "pip", "dlt"}
"""Other programs, whose arguments are not checked."""

SOURCES = ("sources", "harvest")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=relative)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_begin_with_their_title(page: Page) -> None:
    """Each page begins with the title in the list of pages."""
    assert page.path.read_text().startswith(f"# {page.title}\n")


def test_no_page_is_forgotten() -> None:
    """Every file in ``docs/`` is in the list of pages."""
    assert {path.stem for path in FOLDER.iterdir()} == {page.name for page in PAGES}


@each_document
def test_generated_parts_are_in_step(document: Path) -> None:
    """Tables, keys, help and files match the code: ``python -m tests.docs.generate``."""
    text = document.read_text()
    assert len(BEGIN.findall(text)) == len(PART.findall(text))
    assert fill(text) == text


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    """Every link to a file of this repository finds it, and the heading that it names."""
    for target in re.findall(r"\]\((?!https?:)([^)]+)\)", document.read_text()):
        name, _, heading = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), target
        assert not heading or heading in set(iter_anchors(path.read_text())), target


def iter_anchors(text: str) -> Iterator[str]:
    """The names of the headings as links spell them."""
    for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE):
        yield re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@each_document
def test_files_and_tests_named_exist(document: Path) -> None:
    """Every path of this repository in a document exists, and every named test in that file."""
    named = re.findall(
        r"`((?:tests|pipelines|harvest_source|docs|\.ci|\.dlt)/[^`]*)`", document.read_text()
    )
    for name in sorted(set(named) - YOURS):
        path, _, test = name.partition("::")
        assert (REPOSITORY / path).exists(), name
        assert f"def {test}" in (REPOSITORY / path).read_text() if test else True, name


@each_document
def test_modules_named_exist(document: Path) -> None:
    """Every ``python -m tests...`` in a document exists."""
    for module in re.findall(r"-m (tests\.[\w.]+)", document.read_text()):
        assert is_module(module), module


@each_document
def test_commands_in_the_text_exist(document: Path) -> None:
    """A command in a sentence can be typed as shown."""
    for code in iter_inline_code(document.read_text()):
        if code.startswith("harvest-source "):
            check_ours(shlex.split(code)[1:])


@each_document
def test_every_code_block_is_valid(document: Path) -> None:
    """Every hand-written block has a kind that is checked; :data:`CHECKS` says how."""
    for block in iter_blocks(document.read_text()):
        assert block.kind in CHECKS, f"{relative(document)}:{block.line}"
        CHECKS[block.kind](block)


def check_shell(block: Block) -> None:
    """Programs are known; our commands, options and modules exist."""
    for command in re.split(r"\n|&&", block.text):
        words = shlex.split(command)
        program = words[0].rpartition("/")[2]
        if program in {"uvx", "pipx"}:
            assert "." in words, command  # The clone: elsewhere there is no such package.
            words = words[words.index("harvest-source") :]
            program = words[0]
        if program == "harvest-source":
            check_ours(words[1:])
        elif program in {"python", "python3"}:
            check_python(words[1:])
        elif program in {"ruff", "mypy"}:
            continue
        else:
            assert program in PROGRAMS or (REPOSITORY / words[0]).exists(), command


def check_python(words: list[str]) -> None:
    """A module of ours or a common tool; code only where its output is shown."""
    assert words[0] in {"-m", "-c"}
    if words[1].startswith("tests."):
        assert is_module(words[1]), words[1]
    elif words[0] == "-m":
        assert words[1] in {"venv", "pip", "pytest"}


def is_module(name: str) -> bool:
    """Whether ``python -m name`` finds a file of this repository."""
    path = REPOSITORY / Path(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__main__.py").exists()


def check_toml(block: Block) -> None:
    """Our keys are keys of the configuration; other sections are dlt's."""
    known = {key.name for key in reference.read_keys()}
    ours: Any = tomllib.loads(block.text)
    for section in SOURCES:
        ours = ours.get(section, {})
    profiles = ours.pop("profiles", {})
    parse_scopes(ours.pop("scopes", {}))
    for table in (ours, *profiles.values()):
        credentials = {f"credentials.{name}" for name in table.pop("credentials", {})}
        assert table.keys() | credentials <= known


def check_json(block: Block) -> None:
    """The object has the keys of a report, or is a configuration that starts our server."""
    value = json.loads(block.text)
    servers = value.get("mcpServers") or value.get("servers")
    if servers is None:
        assert value.keys() == EMPTY_REPORT.keys()
        return
    for server in servers.values():
        if "command" in server:
            assert server["command"].endswith("harvest-source")
            check_ours(server["args"])


def skip_check(_: Block) -> None:
    """Checked by :mod:`tests.docs.test_examples`, which has a warehouse."""


def check_yaml(block: Block) -> None:
    """The block parses."""
    assert yaml.safe_load(block.text)


def check_text(block: Block) -> None:
    """Command output is generated, except the end of a sign-in, which needs a browser."""
    assert block.text.startswith("ok: signed in to account ")


def check_nginx(block: Block) -> None:
    """Every line is complete, and braces are balanced."""
    lines = [line.strip() for line in block.text.splitlines() if line.strip()]
    assert all(line.endswith((";", "{", "}")) for line in lines)
    assert block.text.count("{") == block.text.count("}")


CHECKS: Mapping[str, Callable[[Block], None]] = {
    "sh": check_shell,
    "toml": check_toml,
    "json": check_json,
    "sql": skip_check,
    "yaml": check_yaml,
    "text": check_text,
    "nginx": check_nginx,
}


def test_the_readme_leads_to_every_page() -> None:
    """The README links to every page."""
    text = README.read_text()
    assert [page.name for page in PAGES if f"](docs/{page.name}.md)" not in text] == []
