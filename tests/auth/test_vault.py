"""A saved login opens only in its own place, with its own key."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as FailKeyring
from keyring.errors import KeyringLocked

from harvest_source.auth.profiles import check_profile
from harvest_source.auth.sealing import make_digest, matches_digest
from harvest_source.auth.vault import Vault
from harvest_source.auth.vault_files import NoFolderError, default_folder
from harvest_source.auth.vault_keys import (
    VARIABLE,
    FilePlace,
    KeyringUnusableError,
    Keys,
    VariablePlace,
    find_places,
    make_key,
)
from harvest_source.errors import ConfigError, HarvestError, SignInError
from tests.support import drawer
from tests.support.children import fork
from tests.support.logins import LOGIN, keep
from tests.support.no_room import limit_file_size

SECRETS = ("access-secret", "refresh-secret", "client-secret", "Ada Abbott")
FILE = "default.vault"


def content(vault: Vault, name: str = FILE) -> Any:
    return json.loads((vault.folder / name).read_bytes())


def put(vault: Vault, value: Any, name: str = FILE) -> None:
    (vault.folder / name).write_text(json.dumps(value))


def test_a_saved_login_is_read_back_unchanged(vault: Vault) -> None:
    """Every field comes back, from a newly opened vault."""
    keep(vault)
    again = Vault(vault.folder, keys=vault.keys)
    assert again.read("default", "1000001") == LOGIN
    assert again.read("default", "1000002") is None
    assert again.read("other", "1000001") is None
    assert again.files.profiles() == ["default"]


def test_nothing_on_the_disk_is_readable(vault: Vault) -> None:
    """Neither tokens nor names are readable, and no two writes are alike."""
    keep(vault)
    first = content(vault)["logins"]["1000001"]
    keep(vault)
    second = content(vault)["logins"]["1000001"]
    assert first["nonce"] != second["nonce"]
    assert first["sealed"] != second["sealed"]
    for path in vault.folder.iterdir():
        assert not any(secret.encode() in path.read_bytes() for secret in SECRETS)
        assert path.stat().st_mode & 0o077 == 0
    assert vault.folder.stat().st_mode & 0o077 == 0


def flip(sealed: dict[str, str], name: str) -> dict[str, str]:
    """A copy of *sealed* with one bit flipped."""
    value = bytearray(base64.b64decode(sealed[name]))
    value[0] ^= 1
    return sealed | {name: base64.b64encode(value).decode()}


@pytest.mark.parametrize(
    "tamper",
    [
        lambda sealed: flip(sealed, "sealed"),
        lambda sealed: flip(sealed, "nonce"),
        lambda sealed: sealed | {"sealed": ""},
        lambda sealed: sealed | {"nonce": "AAAA"},
        lambda sealed: sealed | {"sealed": "not base64!"},
        lambda sealed: {"sealed": sealed["sealed"]},
        lambda _: "text",
    ],
)
def test_a_login_that_was_changed_is_refused(vault: Vault, tamper: Callable[[Any], Any]) -> None:
    """The error names profile and account, and says what to do."""
    keep(vault)
    value = content(vault)
    value["logins"]["1000001"] = tamper(value["logins"]["1000001"])
    put(vault, value)
    with pytest.raises(SignInError, match=r"profile default.*account 1000001.*auth login"):
        vault.read("default", "1000001")


def test_a_login_moved_to_another_account_is_refused(vault: Vault) -> None:
    """The account is bound: a login sealed for one account does not open as another's."""
    keep(vault)
    keep(vault, account="1000002")
    value = content(vault)
    logins = value["logins"]
    logins["1000001"], logins["1000002"] = logins["1000002"], logins["1000001"]
    put(vault, value)
    for account in ("1000001", "1000002"):
        with pytest.raises(SignInError, match=f"account {account}.*another profile or account"):
            vault.read("default", account)


def test_a_login_moved_to_another_profile_is_refused(vault: Vault) -> None:
    """The profile is bound too: one tenant's file does not open under another's name."""
    keep(vault)
    keep(vault, "work")
    put(vault, content(vault), "work.vault")
    with pytest.raises(SignInError, match="profile work"):
        vault.read("work", "1000001")
    assert vault.read("default", "1000001") == LOGIN


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "harvest-source vault 2"}', "{"])
def test_a_file_that_is_no_vault_is_refused(vault: Vault, text: str) -> None:
    """Half a file, or a file of a later version, is not taken for an empty vault."""
    keep(vault)
    (vault.folder / FILE).write_text(text)
    with pytest.raises(SignInError, match="profile default"):
        vault.read("default", "1000001")
    with pytest.raises(SignInError):
        keep(vault)


def test_a_login_sealed_with_a_missing_key_names_that_key(vault: Vault) -> None:
    """The message names profile, account, the missing key and where it was looked for."""
    keep(vault)
    key_id = content(vault)["logins"]["1000001"]["key"]
    (vault.folder / "key").write_text(make_key().to_text())
    with pytest.raises(ConfigError, match=f"profile default for account 1000001.*{key_id}.*key"):
        vault.read("default", "1000001")


def test_every_login_has_a_key_of_its_own() -> None:
    """Each key is derived for a profile and account; the key's id reveals nothing."""
    key = make_key()
    derived = {key.derive(purpose) for purpose in (b"a", b"b")}
    assert len(derived | {key.value}) == 3
    assert bytes.fromhex(key.id) not in key.value
    assert key.to_text() not in repr(key)


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.parametrize(("name", "mode"), [("", 0o755), (FILE, 0o640), ("key", 0o604)])
def test_a_vault_readable_by_others_is_refused(vault: Vault, name: str, mode: int) -> None:
    """Reading and writing are both refused, with the command that fixes the permissions."""
    keep(vault)
    path = vault.folder / name
    path.chmod(mode)
    wanted = "700" if path.is_dir() else "600"
    refused = pytest.raises(ConfigError, match=f"chmod {wanted} {path}")
    with refused:
        vault.read("default", "1000001")
    with refused:
        keep(vault)


def test_a_write_that_fails_leaves_the_old_login(vault: Vault) -> None:
    """A full disk, here a folder that takes no new file, loses nothing."""
    keep(vault)
    call = "tests.support.login_children:write_without_room"
    folder = vault.folder
    child = fork(str(folder), folder=folder, environment=os.environ, call=call)
    _, err = child.communicate()
    assert "OSError" in err
    assert vault.read("default", "1000001") == LOGIN
    assert not list(vault.folder.glob(".default*"))


def test_threads_that_write_at_once_lose_no_login(vault: Vault) -> None:
    """The profile's lock covers read and write; the first key is made once."""
    together = threading.Barrier(6)

    def write(number: int) -> None:
        together.wait()
        keep(vault, account=str(number))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [vault.read("default", str(n)) for n in range(1, 7)] == [LOGIN] * 6


def test_signing_in_anew_forgets_the_other_login(vault: Vault) -> None:
    """A profile has one login; the login that the configuration started stays."""
    keep(vault, account="any")
    keep(vault, account="configured")
    with vault.lock("default"):
        vault.write("default", "1000001", LOGIN, alone=True)
    assert sorted(vault.accounts("default")) == ["1000001", "configured"]


def test_forgetting_a_profile_leaves_the_others(vault: Vault) -> None:
    """Logging out of one tenant is not logging out of all."""
    keep(vault)
    keep(vault, "work")
    assert vault.files.forget("work")
    assert not vault.files.forget("work")
    assert vault.read("default", "1000001") == LOGIN


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "a.b", "a" * 65, "ä", "a b"])
def test_a_profile_name_cannot_be_a_path(vault: Vault, name: str) -> None:
    """A profile's name becomes a file name."""
    with pytest.raises(ConfigError, match="--profile"):
        check_profile(name)
    with pytest.raises(ConfigError), vault.lock(name):
        pass


def test_the_key_can_be_changed(vault: Vault) -> None:
    """Every login of every profile opens with the new key, and none with the old."""
    keep(vault)
    keep(vault, "work")
    old = (vault.folder / "key").read_text()
    before = content(vault)["logins"]["1000001"]["key"]
    assert vault.rotate() == 2
    assert content(vault)["logins"]["1000001"]["key"] != before
    assert vault.read("work", "1000001") == LOGIN
    (vault.folder / "key").write_text(old)
    with pytest.raises(ConfigError, match="which is missing"):
        vault.read("default", "1000001")


def test_a_change_of_keys_that_stops_halfway_loses_nothing(vault: Vault) -> None:
    """A login that does not open stops it: the old key stays, and the rest opens."""
    keep(vault)
    keep(vault, "work")
    value = content(vault, "work.vault")
    value["logins"]["1000001"] = flip(value["logins"]["1000001"], "sealed")
    put(vault, value, "work.vault")
    with pytest.raises(SignInError, match="profile work"):
        vault.rotate()
    assert vault.read("default", "1000001") == LOGIN
    vault.files.forget("work")
    assert vault.rotate() == 1
    assert vault.read("default", "1000001") == LOGIN
    assert len((vault.folder / "key").read_text().split()) == 1


def test_a_change_of_keys_on_a_full_disk_loses_nothing(vault: Vault) -> None:
    """If the key or a login cannot be written, all logins open, and the same call completes it."""
    keep(vault)
    for size in (10, 200):
        with limit_file_size(size), pytest.raises(SignInError, match="cannot be written"):
            vault.rotate()
        assert vault.read("default", "1000001") == LOGIN
    assert vault.rotate() == 1
    assert vault.read("default", "1000001") == LOGIN


def test_only_the_user_can_change_a_key_in_the_environment(tmp_path: Path) -> None:
    """The new key goes before the old one; without a new one the error says how."""
    old, new = make_key(), make_key()
    environment = {VARIABLE: old.to_text()}
    place = VariablePlace(environment)
    vault = Vault(tmp_path / "vault", keys=Keys([place], lambda _: None))
    keep(vault)
    with pytest.raises(ConfigError, match="before the old one"):
        vault.rotate()
    environment[VARIABLE] = f"{new.to_text()},{old.to_text()}"
    assert vault.rotate() == 1
    environment[VARIABLE] = new.to_text()
    assert vault.read("default", "1000001") == LOGIN


@pytest.mark.parametrize("text", ["short", "ä", "A" * 42, "passphrase of mine, long enough for it"])
def test_a_bad_key_is_refused_without_being_shown(text: str) -> None:
    """A key is 32 random bytes, and the message shows how to make one."""
    with pytest.raises(ConfigError, match="token_urlsafe") as caught:
        VariablePlace({VARIABLE: text}).read()
    assert text not in str(caught.value)


def test_a_key_in_a_file_comes_with_a_warning(tmp_path: Path) -> None:
    """The warning says what the file protects and what not; once, when the file is made."""
    told: list[str] = []
    vault = Vault(tmp_path / "vault", on_warning=told.append)
    keep(vault)
    keep(vault)
    [warning] = told
    assert "does not protect against a program that can read your files" in warning
    assert vault.key_warning == warning


def test_the_systems_keyring_comes_first(tmp_path: Path) -> None:
    """If there is a keyring, it has the key and no file does; other vaults have other keys."""
    environment = os.environ | {
        "PYTHON_KEYRING_BACKEND": "tests.support.drawer.Drawer",
        drawer.FILE: str(tmp_path / "drawer.json"),
        VARIABLE: make_key().to_text(),
    }
    call = "tests.support.login_children:use_keyring"
    child = fork(str(tmp_path), folder=tmp_path, environment=environment, call=call)
    _, err = child.communicate()
    assert (child.returncode, err) == (0, "")
    stored = json.loads((tmp_path / "drawer.json").read_text())
    assert len(stored) == 2
    assert len({*stored.values()}) == 2


def test_the_key_file_still_opens_logins_if_the_variable_is_set(tmp_path: Path) -> None:
    """A login sealed with the file's key still opens if the variable is set as well."""
    folder = tmp_path / "vault"
    vault = Vault(folder)
    keep(vault)
    places = find_places(folder, {VARIABLE: make_key().to_text()})
    assert [place.name for place in places] == [VARIABLE, str(folder / "key")]
    assert Vault(folder, keys=Keys(places, print)).read("default", "1000001") == LOGIN


def test_a_seed_is_recognised_by_a_salted_digest() -> None:
    """Each digest has its own key, so that equal seeds differ and cannot be looked up."""
    one, other = make_digest("seed"), make_digest("seed")
    assert one != other
    assert matches_digest(one, "seed")
    assert matches_digest(other, "seed")
    assert not matches_digest(one, "seeds")
    assert not matches_digest("", "seed")


def test_errors_of_the_vault_hold_no_secret(vault: Vault) -> None:
    """No error of the vault contains a key or a secret."""
    keep(vault)
    key = (vault.folder / "key").read_text().strip()
    value = content(vault)
    value["logins"]["1000001"] = flip(value["logins"]["1000001"], "sealed")
    put(vault, value)
    with pytest.raises(HarvestError) as caught:
        vault.read("default", "1000001")
    assert key not in f"{caught.value!r} {caught.value.__cause__!r} {vault!r} {vault.keys!r}"
    assert "secret" not in repr(replace(LOGIN))


def test_the_key_file_is_always_the_last_place(vault: Vault) -> None:
    """The file is always the last place."""
    assert isinstance(find_places(vault.folder, {})[-1], FilePlace)


class Locked(KeyringBackend):
    """A desktop keyring whose owner is away."""

    priority = 5

    def __init__(self, error: Exception) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.error: Exception | None = error
        self.kept: dict[str, str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        if self.error:
            raise self.error
        return self.kept.get(username)

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.error:
            raise self.error
        self.kept[username] = password


ERRORS = (KeyringLocked("locked"), OSError(111, "Connection refused"), RuntimeError("no D-Bus"))


def open_vault(folder: Path, backend: KeyringBackend, **environment: str) -> Vault:
    """Open a vault as a new process does."""
    return Vault(folder, keys=Keys(find_places(folder, environment, backend), print))


class Forgetful(Locked):
    """A keyring that reports success and keeps nothing, as one without storage does."""

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep nothing."""


def test_a_keyring_that_keeps_nothing_is_refused(tmp_path: Path) -> None:
    """Before a login is sealed with a key that the next process would not have."""
    backend, folder = Forgetful(RuntimeError()), tmp_path / "vault"
    backend.error = None
    with pytest.raises(KeyringUnusableError, match="did not keep"):
        keep(open_vault(folder, backend))
    assert list(folder.glob("*.vault")) == []


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_keyring_that_cannot_be_read_is_not_an_empty_one(
    tmp_path: Path, error: Exception
) -> None:
    """Reading, writing and changing the key all give exit code 3, and change nothing."""
    backend, folder = Locked(error), tmp_path / "vault"
    backend.error = None
    keep(open_vault(folder, backend))
    before = dict(backend.kept), content(open_vault(folder, backend))
    backend.error = error
    vault = open_vault(folder, backend)
    attempts: list[Callable[[], object]] = [
        lambda: vault.read("default", "1000001"),
        lambda: keep(vault),
        lambda: keep(vault, "work"),
        lambda: vault.find_obstacle("default"),
        vault.rotate,
    ]
    for attempt in attempts:
        with pytest.raises(KeyringUnusableError, match=VARIABLE) as caught:
            attempt()
        assert caught.value.exit_code == 3
    backend.error = None
    assert (dict(backend.kept), content(vault)) == before
    assert not (folder / "key").exists()
    assert vault.read("default", "1000001") == LOGIN


def test_a_key_in_the_environment_replaces_a_locked_keyring(tmp_path: Path) -> None:
    """The remedy in the message works, for reading and for writing."""
    backend, folder = Locked(ERRORS[0]), tmp_path / "vault"
    backend.error = None
    keep(open_vault(folder, backend))
    backend.error = ERRORS[0]
    [key] = backend.kept.values()
    vault = open_vault(folder, backend, **{VARIABLE: key})
    assert vault.read("default", "1000001") == LOGIN
    keep(vault, "work")
    backend.error = None
    assert open_vault(folder, backend).read("work", "1000001") == LOGIN


def test_no_new_key_is_made_while_the_keyring_is_unavailable(tmp_path: Path) -> None:
    """Without a session bus there is no keyring and no key file: this is not a new vault."""
    backend, folder = Locked(ERRORS[0]), tmp_path / "vault"
    backend.error = None
    keep(open_vault(folder, backend))
    bare = open_vault(folder, FailKeyring())  # type: ignore[no-untyped-call]
    for attempt in (lambda: keep(bare, "work"), lambda: bare.find_obstacle("work")):
        with pytest.raises(SignInError, match=r"which is missing.*auth logout") as caught:
            attempt()
        assert caught.value.exit_code == 3
    assert not (folder / "key").exists()
    with bare.lock("default"):
        bare.write("default", "7", LOGIN, alone=True)  # It replaces the login that it cannot open.
    assert bare.read("default", "7") == LOGIN


def test_a_user_without_a_home_folder_has_no_vault() -> None:
    """A container that runs under a bare uid gets this error, in either form of the failure."""

    def fail() -> Path:
        raise RuntimeError("could not determine the home directory")

    for find_data_folder in (fail, lambda: Path("~/.local/share/harvest-source")):
        with pytest.raises(NoFolderError, match=r"no home folder.*vault_path"):
            default_folder(find_data_folder)
    assert default_folder(lambda: Path("/home/me/data")) == Path("/home/me/data/vault")


def test_a_keyring_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PYTHON_KEYRING_BACKEND may name a package that is not installed."""
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "no.such.Keyring")
    with pytest.raises(KeyringUnusableError, match="PYTHON_KEYRING_BACKEND"):
        keep(Vault(tmp_path / "vault"))
    assert list(tmp_path.rglob("*.vault")) == []


def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(vault: Vault) -> None:
    """Otherwise a change of keys would drop the key of every login in it."""
    vault.folder.symlink_to(vault.folder)
    with pytest.raises(ConfigError, match="cannot be listed"):
        vault.files.profiles()


@pytest.mark.parametrize("name", ["default.vault", "default.look"])
def test_a_login_that_cannot_be_removed_is_named(vault: Vault, name: str) -> None:
    """Logging out never pretends to succeed, and names the file that is in the way."""
    keep(vault)
    (vault.folder / name).unlink(missing_ok=True)
    (vault.folder / name).mkdir()
    with pytest.raises(ConfigError, match=f"{name} cannot be removed: it is a folder.* mv "):
        vault.files.forget("default")


def test_a_folder_in_the_place_of_a_lock_is_named(vault: Vault) -> None:
    """The vault can be written; only the lock cannot be taken."""
    (vault.folder / "default.lock").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"lock cannot be locked: it is a folder.* mv "):
        vault.lock("default").__enter__()


def test_a_file_in_the_place_of_the_vault_is_named(vault: Vault) -> None:
    """It holds no sign-in to forget, and no folder can be made there."""
    vault.folder.write_text("")
    assert not vault.files.forget("default")
    assert "is not a folder" in vault.files.check_writable()


def test_a_key_file_that_is_damaged_says_what_to_do(tmp_path: Path) -> None:
    """The message has the file and the remedy, not only the name of Python's error."""
    path = tmp_path / "key"
    path.write_bytes(b"\xff\xfe")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"not text.*move it away.*auth login") as caught:
        FilePlace(path).read()
    assert str(path) in str(caught.value)
