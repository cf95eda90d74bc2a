"""README.md says what is there, all of it, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from harvest_source.cli import main as cli
from harvest_source.config.spec import HarvestConfiguration, HarvestCredentials
from harvest_source.errors import HarvestError
from harvest_source.schema.endpoints import DEFAULT_ENDPOINTS, ENDPOINTS
from tests.cli.command import run_process
from tests.docs.generate import PARTS, README, REPOSITORY, build_diagram, fill

TEXT = README.read_text()
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")


def command_after(comment: str) -> str:
    """The fenced block that stands right after an HTML comment: where ``.ci/run`` looks."""
    found = re.findall(rf"^<!-- {comment} -->\n```sh\n(.*?)\n```$", TEXT, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_main_job_is_one_line_that_sets_itself_up() -> None:
    """The first command makes its environment, installs the clone and syncs the sandbox."""
    command = command_after("main job")
    assert "\n" not in command
    assert re.fullmatch(r"python3 -m venv .* pip install .*harvest-source sync --sandbox", command)


def test_the_tests_are_one_line_that_sets_itself_up() -> None:
    """The second command makes its environment, installs the tools and runs the suite."""
    command = command_after("tests")
    assert "\n" not in command
    assert re.fullmatch(r"python3 -m venv .* pip install .*\[dev\].* -m pytest.*", command)


def test_generated_parts_are_in_step() -> None:
    """Tables, help and scripts are as the code is now: ``python -m tests.docs.generate``."""
    assert fill(TEXT) == TEXT


@pytest.mark.parametrize("command", sorted(cli.main.commands))
def test_every_command_is_documented(command: str) -> None:
    """Each command is named in the README as people would type it."""
    assert re.search(rf"`{command}`|harvest-source {command}\b", TEXT)


def test_every_command_of_auth_is_documented() -> None:
    """Each is named in the README as people would type it."""
    group = cli.main.commands["auth"]
    assert isinstance(group, click.Group)
    assert [name for name in group.commands if f"harvest-source auth {name}" not in TEXT] == []


def test_every_option_of_sync_is_documented() -> None:
    """The README shows each option of the main command."""
    for option in cli.main.commands["sync"].params:
        assert option.opts[-1] in TEXT


def test_every_setting_is_documented_with_its_default() -> None:
    """The configuration table has one line for each key that is read, and no other."""
    section = TEXT.split("## Configuration")[1].split("\n## ")[0]
    lines = re.findall(r"^\| `([\w.]+)` \| .* \| (.*) \|$", section, re.MULTILINE)
    fields = set(HarvestConfiguration.get_resolvable_fields()) - {"credentials"}
    secrets = {f"credentials.{name}" for name in HarvestCredentials.get_resolvable_fields()}
    assert dict(lines).keys() == fields | secrets
    for name in fields:
        default = getattr(HarvestConfiguration, name)
        assert default is None or dict(lines)[name] == f"`{default}`"


def test_every_exit_code_is_documented() -> None:
    """The table of exit codes has those that our errors carry, success, bug and interrupt."""
    section = TEXT.split("| Exit code | Meaning |")[1].split("\n## ")[0]
    documented = set(map(int, re.findall(r"^\| (\d+) \|", section, re.MULTILINE)))
    kinds = [HarvestError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    assert documented == {kind.exit_code for kind in kinds} | {0, 130}


@pytest.mark.parametrize("document", DOCUMENTS)
def test_files_named_exist(document: str) -> None:
    """Every path of this repository that a document names is there."""
    text = (REPOSITORY / document).read_text()
    named = set(re.findall(r"`((?:tests|pipelines|harvest_source|\.ci|\.dlt)/[\w./]*)`", text))
    named |= set(re.findall(r"\]\((?!http)([^)#]+)\)", text))
    named -= {".dlt/secrets.toml"}  # Yours to make.
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_modules_named_exist(document: str) -> None:
    """Every ``python -m tests...`` that a document names is there."""
    text = (REPOSITORY / document).read_text()
    for module in re.findall(r"-m (tests[\w.]+)", text):
        assert (REPOSITORY / Path(*module.split("."))).with_suffix(".py").exists()


def test_the_output_shown_is_the_real_one(tmp_path: Path) -> None:
    """``sync --sandbox`` prints what the README shows, but for the time and how often it asked."""
    result = run_process("sync", "--sandbox", folder=tmp_path, settings={})
    shown = TEXT.split("<!-- output: sync --sandbox -->\n```\n")[1].split("\n```")[0]
    assert plain(result.out) == plain(shown)


def plain(output: str) -> list[str]:
    """Lines without blanks at the end and without what differs from run to run."""
    lines = [line.rstrip() for line in output.strip("\n").splitlines() if line.strip()]
    return [re.sub(r"\d+ requests, [\d.]+ s", "N requests, N s", line) for line in lines]


def test_the_diagram_shows_every_reference() -> None:
    """A line for each reference between tables read by default, and no table is left out."""
    diagram = build_diagram()
    for endpoint in DEFAULT_ENDPOINTS:
        for name in (endpoint.name, *endpoint.child_tables):
            assert re.search(rf"\b{name}\b", diagram), name
        for each in endpoint.references:
            assert f" {each.to} |o--o{{ {each.table} : {each.column}\n" in diagram


def test_no_part_is_forgotten() -> None:
    """Each generated part is used, and every endpoint is in the table."""
    assert all(f"<!-- begin {name} -->" in TEXT for name in PARTS)
    assert all(f"[`{endpoint.name}`]" in TEXT for endpoint in ENDPOINTS)
