"""What is known about a sign-in, without asking Harvest."""

from __future__ import annotations

import pytest

from harvest_source.errors import ApiError, AuthError, ConfigError, HarvestError
from harvest_source.notices import Notice
from harvest_source.operations.login import open_sign_in_context
from harvest_source.operations.sign_in_status import SignInState, StatusReport, read_status
from tests.support.configuration import Configure


@pytest.mark.parametrize(
    ("state", "error", "code"),
    [
        (SignInState.OK, None, 0),
        (SignInState.KEPT, None, 0),
        (SignInState.NONE, ConfigError("x"), 3),
        (SignInState.DEAD, AuthError("x"), 3),
        (SignInState.UNKNOWN, ApiError("x"), 4),
        (SignInState.UNKNOWN, ConfigError("x"), 2),
    ],
)
def test_the_exit_code_distinguishes_a_dead_sign_in_from_an_outage(
    state: SignInState, error: HarvestError | None, code: int
) -> None:
    """With 3 a person must sign in; with 4 the next run tries again."""
    report = StatusReport("default", state, "vault", error=error)
    assert report.exit_code == code
    assert report.as_dict()["status"] == ("ok" if code == 0 else "error")


def read(profile: str = "default") -> StatusReport:
    notices: list[Notice] = []
    context = open_sign_in_context({"auth_profile": profile}, notices.append)
    return read_status(context, notices, ask=False)


def test_a_configured_token_is_named_by_its_place(configure: Configure) -> None:
    """The report never has its value."""
    configure(credentials__access_token="1.pt.secret", account_id="7")
    report = read()
    assert report.state is SignInState.KEPT
    found = report.as_dict()
    assert found["source"] == "SOURCES__HARVEST__CREDENTIALS__ACCESS_TOKEN"
    assert found["kind"] == "personal"
    assert "1.pt.secret" not in str(found)


@pytest.mark.usefixtures("configure")
def test_without_any_credential_nothing_is_known() -> None:
    """The error says how to sign in."""
    report = read()
    assert (report.state, report.exit_code) == (SignInState.NONE, 3)
    assert "harvest-source auth login" in str(report.error)


def test_a_profile_without_a_sign_in_does_not_use_the_general_one(configure: Configure) -> None:
    """A named profile has its own credential or none."""
    configure(credentials__access_token="1.pt.secret")
    assert read("work").state is SignInState.NONE
