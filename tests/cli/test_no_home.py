"""A user without a home folder and unknown to the system, as uid 12345 in a container."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from harvest_source.sandbox import Sandbox
from tests.support.children import fork
from tests.support.command import (
    ID_URL,
    TOKEN,
    Result,
    build_environment,
    build_settings,
)
from tests.support.signing import REFRESH_TOKEN, app_settings

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user"
    ),
]

NO_HOME = "this user has no home folder (HOME is not set)"
Poor = Callable[..., Result]


@pytest.fixture
def poor(tmp_path: Path) -> Poor:
    """Run the command as that user, in a folder that the user can write."""
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o777)

    def run(*arguments: str, **settings: str) -> Result:
        environment = {**build_environment(folder), **settings, "PATH": os.environ["PATH"]}
        del environment["XDG_DATA_HOME"]  # Sign-ins could be kept there.
        child = fork(
            *arguments,
            folder=folder,
            environment=environment,
            call="tests.support.poor_user:main",
        )
        out, err = child.communicate()
        assert child.returncode is not None
        return Result(child.returncode, out, err)

    return run


def oauth(server: Sandbox, **more: str) -> dict[str, str]:
    settings = {**build_settings(server), **app_settings(server), ID_URL: server.id_url}
    del settings[TOKEN]
    return {**settings, REFRESH_TOKEN: server.issue_tokens()["refresh_token"], **more}


def test_a_configured_token_needs_no_vault(poor: Poor, shared: Sandbox) -> None:
    """A personal access token is not renewed, so nothing has to be stored."""
    assert poor("check", **build_settings(shared)).code == 0
    assert poor("auth", "status", **build_settings(shared)).code == 0


def test_a_sync_without_a_vault_does_not_exchange_its_token(poor: Poor, shared: Sandbox) -> None:
    """With no place for new tokens, the refresh token is not exchanged; the error has remedies."""
    result = poor("sync", **oauth(shared))
    assert result.code == 3, result
    said = " ".join(result.err.split())
    assert NO_HOME in said
    assert "vault_path" in said
    assert "token_command" in said


@pytest.mark.parametrize("words", [("check",), ("auth", "status"), ("auth", "status", "--check")])
def test_a_check_warns_that_there_is_no_vault(
    poor: Poor, shared: Sandbox, words: tuple[str, ...]
) -> None:
    """A look exchanges nothing, and warns that the next sync will stop."""
    result = poor(*words, **oauth(shared))
    assert result.code == 0, result
    assert NO_HOME in " ".join((result.out + result.err).split())


def test_a_token_command_replaces_the_vault(poor: Poor, shared: Sandbox) -> None:
    """The token command keeps the new token, so the sync runs."""
    settings = oauth(shared, SOURCES__HARVEST__TOKEN_COMMAND="cat")
    result = poor("sync", "--table", "clients", **settings)
    assert result.code == 0, result


def test_the_error_for_a_missing_token_says_why_there_is_no_vault(poor: Poor) -> None:
    """The usual error also names the vault's place, and says why there is none."""
    result = poor("sync")
    assert result.code == 2, result
    said = " ".join(result.err.split())
    assert "No Harvest access token was found" in said
    assert NO_HOME in said


def test_a_folder_that_cannot_be_written_is_named(poor: Poor, shared: Sandbox) -> None:
    """The sync exits with 6 and names the folder and a remedy."""
    result = poor("sync", "--database", "/etc/a.duckdb", **build_settings(shared))
    assert result.code == 6, result
    said = " ".join(result.err.split())
    assert "/etc cannot be written by this user" in said
    assert "--database" in said


def test_unreadable_settings_are_not_ignored(tmp_path: Path) -> None:
    """If this user may not read the folder, dlt would silently read no settings."""
    folder = tmp_path / "work"
    (folder / ".dlt").mkdir(parents=True)
    home = tmp_path / "home"
    home.mkdir()
    for each in (folder / ".dlt", home):
        each.chmod(0o700)
        os.chown(each, 12345, 12345)
    call = "tests.support.poor_user:without_privileges"
    for arguments, name in ((("status",), folder / ".dlt"), (("ask", "log"), home)):
        environment = {**build_environment(folder), "HOME": str(home)}
        for variable in ("XDG_STATE_HOME", "XDG_DATA_HOME"):
            environment.pop(variable, None)
        child = fork(*arguments, folder=folder, environment=environment, call=call)
        _, err = child.communicate()
        assert child.returncode == 2, err
        assert str(name) in err
        assert "Permission denied" in err
