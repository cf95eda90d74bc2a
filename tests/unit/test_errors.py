"""What all errors share: codes, causes, and their form in reports."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from harvest_source.errors import (
    ApiError,
    AuthError,
    ConfigError,
    DestinationError,
    HarvestError,
    RemoteError,
    SignInError,
    UnsafeLinkError,
    error_dict,
    find_cause,
    iter_causes,
    printable,
    without_folders,
)


class Wrapper(Exception):
    """A library's exception that keeps another one in an attribute."""

    def __init__(self, inner: BaseException) -> None:
        super().__init__("wrapped")
        self.inner = inner


def chain(*errors: BaseException) -> BaseException:
    """The last of *errors*, each of which has the one before as its cause."""
    for cause, error in pairwise(errors):
        error.__cause__ = cause
    return errors[-1]


@pytest.mark.parametrize("kind", [AuthError, SignInError, ApiError, UnsafeLinkError])
def test_errors_from_harvest_share_one_type(kind: type[HarvestError]) -> None:
    """An error that affects only one table is caught by type, not by exit code."""
    assert issubclass(kind, RemoteError)
    assert kind.exit_code in {3, 4}


@pytest.mark.parametrize("kind", [ConfigError, DestinationError])
def test_errors_of_settings_or_the_warehouse_are_not_remote(kind: type[HarvestError]) -> None:
    """A wrong setting, or the warehouse, affects the whole run."""
    assert not issubclass(kind, RemoteError)


def test_a_cause_is_found_along_the_chain() -> None:
    """The nearest cause of the type is found, the error itself included."""
    inner, outer = ConfigError("inner"), ConfigError("outer")
    error = chain(KeyError(), inner, ValueError(), outer, TypeError())
    assert find_cause(error, ConfigError) is outer
    assert find_cause(error, TypeError) is error
    assert find_cause(error, OSError) is None
    assert find_cause(None, OSError) is None


def raise_while_handling() -> None:
    """Raise like a library, without ``from``."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        raise TypeError  # noqa: B904


def test_an_exception_being_handled_counts_as_the_cause() -> None:
    """The exception that was being handled counts as the cause."""
    with pytest.raises(TypeError) as caught:
        raise_while_handling()
    assert find_cause(caught.value, KeyboardInterrupt) is not None


def test_a_wrapped_exception_is_found_only_by_a_known_attribute() -> None:
    """An inner error is found only if the attribute's name is known."""
    hidden = ConfigError("hidden")
    error = chain(Wrapper(hidden), TypeError())
    assert find_cause(error, ConfigError) is None
    assert find_cause(error, ConfigError, attributes=["inner", "absent"]) is hidden


def test_a_circle_of_causes_ends() -> None:
    """Each exception is yielded once."""
    one, other = TypeError(), ValueError()
    one.__cause__, other.__cause__ = other, one
    assert list(iter_causes(one)) == [one, other]


def test_a_reported_error_names_its_table_account_or_neither() -> None:
    """An error may be of a table, of an account, or of the run."""
    error = AuthError("refused")
    entry = {"account_id": None, "table": None, "type": "AuthError", "message": "refused"}
    assert error_dict(error) == entry
    assert error_dict(error, account_id=7, table="tasks") == {
        **entry,
        "account_id": 7,
        "table": "tasks",
    }
    assert error_dict(KeyError("x"), message="a bug") == {
        **entry,
        "type": "KeyError",
        "message": "a bug",
    }


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\nlines\tand \x1b[31mred", "two lines and [31mred"),
        ("see https://h/p?token=secret now", "see https://h/p?... now"),
        ("really?", "really?"),
        ("x" * 500, "x" * 197 + "..."),
        (None, "None"),
    ],
)
def test_text_from_outside_is_one_short_line(text: object, shown: str) -> None:
    """It has no control characters and no queries, and is cut."""
    assert printable(text) == shown


def test_a_stored_text_names_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths of requests and addresses stay; a current folder may have blanks in its name."""
    own = tmp_path / "Ada's files"
    own.mkdir()
    monkeypatch.chdir(own)
    said = "401 on /v2/users/me. See https://id.getharvest.com/developers, or mv {}vault {}x.folder"
    given = said.format(f"{tmp_path}/lab/", f"{own}/")
    assert without_folders(given) == said.format("", "")
    assert without_folders(r"C:\Users\ada\x.duckdb is in use") == "x.duckdb is in use"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (f"No file /{'a' * 300}/b.duckdb", "No file b.duckdb"),
        ("/data-of-ada/b.duckdb is full", "b.duckdb is full"),
        ("file:///data-of-ada/b.duckdb is full", "file://b.duckdb is full"),
        ("500 on /api/v2/oauth2/token", "500 on /api/v2/oauth2/token"),
        ("s3://bucket/folder/x cannot be written", "s3://bucket/folder/x cannot be written"),
    ],
)
def test_a_folder_is_recognised_without_looking_for_it(given: str, stored: str) -> None:
    """No such folders exist here; a name may be longer than a file system allows."""
    assert without_folders(given) == stored
