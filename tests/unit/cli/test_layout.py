"""Messages on a terminal."""

from __future__ import annotations

import pytest

from harvest_source.cli.layout import lay_out

MESSAGES = (
    "Harvest refused the access token (401 on /v2/users/me, account 1234567). The token came from "
    "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN. Make a new one at "
    "https://id.getharvest.com/developers or sign in with: harvest-source auth login",
    "/very/long/path/to/some/folder/of/a/project/.dlt/secrets.toml can be read by every user of "
    "this machine (mode 0644), and it contains secrets. Restrict it: chmod 600 "
    "/very/long/path/to/some/folder/of/a/project/.dlt/secrets.toml",
    "It belongs to another pipeline. To hand the warehouse over permanently, after which every "
    "table is read again: harvest-source sync --pipeline harvest --take-over",
)
WHOLE = (
    "harvest-source auth login",
    "chmod 600 /very/long/path/to/some/folder/of/a/project/.dlt/secrets.toml",
    "harvest-source sync --pipeline harvest --take-over",
    "https://id.getharvest.com/developers",
    "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN",
)


@pytest.mark.parametrize("width", [40, 80, 100, 140])
@pytest.mark.parametrize("message", MESSAGES)
def test_no_word_command_path_or_address_is_broken(message: str, width: int) -> None:
    """They can be copied; nothing is lost, and lines fit unless one such word is longer."""
    lines = lay_out("error", message, width).splitlines()
    assert " ".join(" ".join(lines).split()) == f"error: {message}"
    for whole in WHOLE:
        assert (whole in message) is any(whole in line for line in lines)
    for line in lines:
        content = line.removeprefix("error: ").strip()
        is_whole = any(content.rstrip(".;, ") == whole for whole in WHOLE)
        assert len(line) <= width or is_whole or "/" in content


@pytest.mark.parametrize("message", MESSAGES)
def test_the_remedy_begins_a_line(message: str) -> None:
    """What happened comes first; what to do begins a line below it."""
    lines = lay_out("error", message, 100).splitlines()
    assert any(line.startswith(("       Make", "       Restrict", "       To")) for line in lines)


def test_a_message_without_a_remedy_is_one_paragraph() -> None:
    """A short message is one line."""
    assert lay_out("warning", "The clocks differ.", 80) == "warning: The clocks differ."
