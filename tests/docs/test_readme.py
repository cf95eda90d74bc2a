"""README.md is short, and its two set-up commands are where programs look for them."""

from __future__ import annotations

import re

from tests.docs.pages import README

TEXT = README.read_text()
LINES = 180
BYTES = 9_000


def command_after(comment: str) -> str:
    """The fenced block directly after an HTML comment, where ``.ci/run`` looks for it."""
    found = re.findall(rf"^<!-- {comment} -->\n```sh\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_readme_is_short() -> None:
    """At most 180 lines and 9 KB, as details are in ``docs/``."""
    assert len(TEXT.splitlines()) <= LINES
    assert len(TEXT.encode()) <= BYTES


def test_the_sync_command_sets_up_its_own_environment() -> None:
    """The first command creates its environment, installs the clone and syncs the sandbox."""
    command = command_after("main job")
    assert "\n" not in command
    assert re.fullmatch(r"python3 -m venv .* pip install .*harvest-source sync --sandbox", command)


def test_the_test_command_sets_up_its_own_environment() -> None:
    """The second command creates its environment, installs the tools and runs the suite."""
    command = command_after("tests")
    assert "\n" not in command
    assert re.fullmatch(r"python3 -m venv .* pip install .*\[dev\].* -m pytest.*", command)


def test_every_guarantee_names_its_proof() -> None:
    """Each paragraph of the section names a test; :mod:`tests.docs.test_pages` finds the file."""
    section = TEXT.split("## What is guaranteed\n")[1].split("\n## ")[0]
    paragraphs = re.findall(r"^- .*$", section, re.MULTILINE)
    assert paragraphs
    assert [each for each in paragraphs if "`tests/" not in each] == []
