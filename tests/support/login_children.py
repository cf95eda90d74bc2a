"""Child processes that use a vault: each function runs in its own child, with arguments in argv."""

from __future__ import annotations

import os
import resource
import signal
import sys
from dataclasses import replace
from pathlib import Path

from harvest_source.api.http_context import HttpContext
from harvest_source.api.requester import Requester
from harvest_source.auth.oauth import OAuthToken
from harvest_source.auth.token_endpoint import App, TokenEndpoint, Tokens
from harvest_source.auth.vault import Vault
from harvest_source.auth.vault_keys import FilePlace, Keys
from harvest_source.auth.vault_token_store import VaultTokenStore
from harvest_source.clock import SystemClock
from tests.support.logins import LOGIN, keep


class _Killed(VaultTokenStore):
    """A store that kills its process before it writes."""

    def write(self, tokens: Tokens) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def _open(folder: str) -> Vault:
    return Vault(Path(folder), keys=Keys([FilePlace(Path(folder) / "key")], print))


def ask() -> None:
    """Read the app's secret, wait for a line, then ask ``users/me`` with the vault's login."""
    folder, id_url, api_url, client_id, how = sys.argv[1:]
    secret = sys.stdin.readline().strip()
    store = (_Killed if how == "killed" else VaultTokenStore)(_open(folder), "default", "1000001")
    clock = SystemClock()
    http = HttpContext(clock=clock)
    auth = OAuthToken(TokenEndpoint(App(client_id, secret, id_url), http), store, clock=clock)
    print("ready", flush=True)
    sys.stdin.readline()
    headers = {"Harvest-Account-Id": "1000001"}
    with Requester(api_url, http, auth=auth, headers=headers) as requester:
        assert b"Ada" in requester.fetch("users/me", parse=lambda answer: answer.body)


def write_without_room() -> None:
    """Write another login while no file may exceed 64 bytes."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
    _open(sys.argv[1]).write("default", "1000001", replace(LOGIN, user="Bob"))


def use_keyring() -> None:
    """Use two vaults whose keys are in the system's keyring."""
    told: list[str] = []
    vaults = [Vault(Path(sys.argv[1]) / name, on_warning=told.append) for name in "ab"]
    for vault in vaults:
        keep(vault)
    assert vaults[0].keys.place.name.startswith("the keyring"), vaults[0].keys.place.name
    assert vaults[0].rotate() == 1
    for vault in vaults:
        assert vault.read("default", "1000001") == LOGIN
    assert told == []
    assert not (vaults[0].folder / "key").exists()
