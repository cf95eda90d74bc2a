"""Only the redirect of this sign-in is accepted, and every other end has a clear message."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from harvest_source.auth.browser_login import (
    Callback,
    LoginRequest,
    build_login_request,
    build_page,
    is_answer,
    open_callback,
    parse_redirect,
)
from harvest_source.errors import ConfigError, HarvestError, SignInError
from tests.sandbox.reader import NO_CERTIFICATES

ID_URL = "https://id.getharvest.com"
BACK = "http://127.0.0.1:0/callback"


def attempt(redirect_url: str = "http://127.0.0.1:5005/callback") -> LoginRequest:
    return build_login_request(ID_URL, "app", redirect_url, pkce=False)


def get(url: str) -> httpx.Response:
    return httpx.get(url, verify=NO_CERTIFICATES, trust_env=False, timeout=10)


@contextmanager
def browsing(url: str) -> Iterator[list[httpx.Response]]:
    """A browser that opens *url* in the background."""
    seen: list[httpx.Response] = []
    thread = threading.Thread(target=lambda: seen.append(get(url)))
    thread.start()
    yield seen
    thread.join()


def test_the_address_asks_for_a_code_with_a_state_of_its_own() -> None:
    """The address has the documented parameters, and a state that no other attempt has."""
    one, other = attempt(), attempt()
    parts = urlsplit(one.url)
    asked = dict(parse_qsl(parts.query))
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{ID_URL}/oauth2/authorize"
    assert asked == {
        "client_id": "app",
        "response_type": "code",
        "state": one.state,
        "redirect_uri": "http://127.0.0.1:5005/callback",
    }
    assert len(one.state) >= 40
    assert one.state != other.state
    assert one.state not in repr(one).replace(one.url, "")


def test_pkce_is_sent_only_when_asked_for() -> None:
    """Harvest does not document it: an option sends the challenge; the verifier stays here."""
    tried = build_login_request(ID_URL, "app", BACK, pkce=True)
    asked = dict(parse_qsl(urlsplit(tried.url).query))
    assert asked["code_challenge_method"] == "S256"
    assert tried.verifier
    assert tried.verifier not in tried.url
    assert attempt().verifier is None


@pytest.mark.parametrize(
    "form", ["{0}", "?{0}", " http://127.0.0.1:5005/callback?{0}\n", "https://x.example/?{0}#_=_"]
)
def test_the_answer_may_be_pasted_in_any_form(form: str) -> None:
    """The whole address or its query; blanks and a fragment do not matter."""
    tried = attempt()
    consent = parse_redirect(
        form.format(f"code=a%2Fb&scope=harvest%3A1&state={tried.state}"), tried
    )
    assert (consent.code, consent.scope) == ("a/b", "harvest:1")


@pytest.mark.parametrize("query", ["", "code=a", "code=a&state=", "code=a&state=wrong", "x" * 9999])
def test_an_answer_to_another_sign_in_is_refused(query: str) -> None:
    """A missing state counts as a wrong one, so a code of another person's login is refused."""
    with pytest.raises(SignInError, match="its state"):
        parse_redirect(query, attempt())


def test_a_wrong_state_outweighs_an_error() -> None:
    """The error text of a stranger is not repeated."""
    with pytest.raises(SignInError, match="its state"):
        parse_redirect("error=access_denied&state=wrong", attempt())


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("error=access_denied&error_description=no", "denied in the browser"),
        ("error=invalid_scope&error_description=No%1B%5B31m+such", r"invalid_scope: No \[31m such"),
        ("error=x" + "y" * 500, "xyyy"),
        ("scope=harvest:1", "no code"),
        ("code=", "no code"),
    ],
)
def test_a_refused_redirect_is_reported_with_its_reason(query: str, says: str) -> None:
    """The message is short and printable, and names the next step."""
    tried = attempt()
    with pytest.raises(SignInError, match=says) as caught:
        parse_redirect(f"{query}&state={tried.state}", tried)
    assert len(str(caught.value)) < 300
    assert str(caught.value).endswith("harvest-source auth login")


@pytest.mark.parametrize("query", ["error=access_denied", "error=other", "code=", "state=x"])
def test_a_refused_redirect_of_a_profile_names_its_command(query: str) -> None:
    """The default profile's command would save the sign-in in another place."""
    tried = build_login_request(ID_URL, "app", BACK, pkce=False, profile="work")
    with pytest.raises(SignInError, match=r"auth login --profile work$"):
        parse_redirect(query if "state" in query else f"{query}&state={tried.state}", tried)


def test_the_last_page_shows_the_result_of_the_login() -> None:
    """The last page waits for the tokens, reports the result, and is never cached."""
    with open_callback(BACK) as callback, browsing(f"{callback.redirect_url}?code=1") as seen:
        got: list[str] = []
        callback.wait(10, lambda query: got.append(query) or "All <well>.", accepts=bool)  # type: ignore[func-returns-value]
    assert got == ["code=1"]
    assert "<h1>Signed in</h1>" in seen[0].text
    assert "All &lt;well&gt;." in seen[0].text
    assert seen[0].headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in seen[0].headers["Content-Security-Policy"]


@pytest.mark.parametrize("error", [SignInError("The code <was> refused."), ZeroDivisionError()])
def test_the_last_page_shows_a_failed_login_too(error: Exception) -> None:
    """The page has our own message; for a bug it says only that there was one."""

    def finish(_: str) -> str:
        raise error

    with (
        open_callback(BACK) as callback,
        browsing(callback.redirect_url) as seen,
        pytest.raises(type(error)),
    ):
        callback.wait(10, finish, accepts=anything)
    assert "<h1>Not signed in</h1>" in seen[0].text
    known = isinstance(error, HarvestError)
    assert ("The code &lt;was&gt; refused." if known else "See the terminal") in seen[0].text


def test_the_wait_for_a_redirect_times_out() -> None:
    """The time limit ends the wait and names the next step; then the port is closed."""
    with (
        open_callback(BACK) as callback,
        pytest.raises(SignInError, match=r"The browser did not come back.*login --profile work$"),
    ):
        callback.wait(0.01, build_page_never, accepts=anything, profile="work")
    with pytest.raises(httpx.ConnectError):
        get(callback.redirect_url)


def anything(_: str) -> bool:
    """Accept every visit."""
    return True


def build_page_never(_: str) -> str:
    raise AssertionError


def visit_twice(callback: Callback) -> list[int]:
    codes = [get(callback.redirect_url.replace("/callback", "/favicon.ico")).status_code]
    with browsing(f"{callback.redirect_url}?first") as seen:
        callback.wait(10, lambda _: "Good.", accepts=anything)
    codes += [seen[0].status_code, get(f"{callback.redirect_url}?second").status_code]
    return codes


def test_only_the_first_answer_counts_and_side_requests_are_ignored() -> None:
    """A browser's side requests end nothing, and a second answer is refused."""
    with open_callback(BACK) as callback:
        assert visit_twice(callback) == [404, 200, 410]


def test_a_stray_visit_is_refused_and_the_wait_goes_on() -> None:
    """No other page can deny a login: the true answer, and only that, still works."""
    with open_callback(BACK) as callback:
        tried = attempt(callback.redirect_url)
        answer = f"{callback.redirect_url}?code=1&state={tried.state}"
        strays = ("", "?state=wrong&code=2", "?error=access_denied", "?state=wrong&error=x")
        codes: list[int] = []

        def visit() -> None:
            codes.extend(get(callback.redirect_url + stray).status_code for stray in strays)
            codes.append(get(answer).status_code)
            codes.append(get(answer).status_code)

        visitor = threading.Thread(target=visit)
        visitor.start()
        got: list[str] = []
        callback.wait(
            10,
            lambda query: got.append(parse_redirect(query, tried).code) or "Good.",  # type: ignore[func-returns-value]
            accepts=lambda query: is_answer(query, tried),
        )
        visitor.join()
    assert codes == [400, 400, 400, 400, 200, 410]
    assert got == ["1"]


def test_stray_visits_do_not_extend_the_time_limit() -> None:
    """However many arrive, the login's time limit holds."""
    with open_callback(BACK) as callback:
        over = threading.Event()

        def visit() -> None:
            while not over.is_set():
                get(f"{callback.redirect_url}?state=wrong")

        visitor = threading.Thread(target=visit)
        visitor.start()
        with pytest.raises(SignInError, match="did not come back"):
            callback.wait(0.2, build_page_never, accepts=lambda _: False)
        over.set()
        visitor.join()


def test_a_connection_without_a_request_does_not_block_the_login() -> None:
    """Browsers open some connections speculatively."""
    with open_callback(BACK) as callback:
        port = urlsplit(callback.redirect_url).port or 0
        with socket.create_connection(("127.0.0.1", port)):
            with browsing(callback.redirect_url) as seen:
                callback.wait(10, lambda _: "Good.", accepts=anything)
            assert seen[0].status_code == 200


def test_a_chosen_port_that_is_in_use_is_refused() -> None:
    """A taken port is refused, with the options that help, before a browser opens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/back"
        with pytest.raises(ConfigError, match=r"--port.*--no-browser"), open_callback(url):
            pass
    with open_callback(url) as callback:
        assert callback.redirect_url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "http://example.com/",
        "http://0.0.0.0/",
        "http://127.0.0.1:99999/",
        "x",
    ],
)
def test_a_redirect_address_on_another_machine_is_refused(url: str) -> None:
    """Answers to any other registered address have to be pasted."""
    with pytest.raises(ConfigError, match="--no-browser"), open_callback(url):
        pass


def test_pages_escape_what_they_are_given() -> None:
    """Text from outside is shown as text."""
    assert "<script>" not in build_page("<script>", "<script>")
