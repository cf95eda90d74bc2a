"""
Browser sign-in: the URL to open, and the answer that the redirect carries.

The redirect leads either to a page that this process serves on a loopback address, or to a URL that
is not served; in that case the user pastes the URL.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import queue
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from harvest_source.api.urls import check_url, is_loopback
from harvest_source.auth.profiles import build_auth_command
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError, HarvestError, SignInError, printable

_ANSWER_S: Final = 120.0
"""Seconds the browser waits for the final page while the code is redeemed."""

_SHOW_S: Final = 5.0
"""Seconds the command waits for the browser to receive that page."""

_SILENCE_S: Final = 10.0
"""Seconds a connection may stay open without a request: browsers open some in advance."""

_MAX_QUERY: Final = 8192
"""Longest request path with query, in characters; Harvest's redirect has about 200."""

_STRAY: Final = (
    "This address does not belong to the sign-in in progress: it may come from an older window, "
    "or from another site. Nothing was done, and the sign-in is still waiting for its answer."
)

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title><link rel="icon" href="data:,">
<style>body {{ font: 1.1em/1.5 sans-serif; margin: 15vh auto; max-width: 32em; padding: 1em }}\
</style></head>
<body><h1>{title}</h1><p>{text}</p><p>You can close this window.</p></body>
</html>
"""


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """
    One request to sign in.

    Attributes:
        url: The URL to open in a browser.
        redirect_url: Where Harvest sends the browser afterwards.
        state: Random text that only the answer to this request repeats.
        verifier: The PKCE code verifier; None without PKCE.
        profile: The named sign-in, for messages.
    """

    url: str
    redirect_url: str
    state: str = field(repr=False)
    verifier: str | None = field(default=None, repr=False)
    profile: str = PROFILE


@dataclass(frozen=True, slots=True)
class Consent:
    """The answer in the redirect: a code that can be redeemed once, and its scope."""

    code: str = field(repr=False)
    scope: str


def build_login_request(
    id_url: str, client_id: str, redirect_url: str, *, pkce: bool, profile: str = PROFILE
) -> LoginRequest:
    """
    A request with a random state.

    Args:
        pkce: Also send a challenge. Unverified against a live account: Harvest documents no PKCE.
    """
    state = secrets.token_urlsafe(32)
    query = {
        "client_id": client_id,
        "response_type": "code",
        "state": state,
        "redirect_uri": redirect_url,
    }
    verifier = secrets.token_urlsafe(48) if pkce else None
    if verifier:
        digest = hashlib.sha256(verifier.encode()).digest()
        query["code_challenge"] = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        query["code_challenge_method"] = "S256"
    url = f"{check_url(id_url, 'id_url')}/oauth2/authorize?{urlencode(query)}"
    return LoginRequest(url, redirect_url, state, verifier, profile)


def is_answer(address: str, request: LoginRequest) -> bool:
    """
    Whether *address* (a URL or only its query) answers *request*, that is, repeats its state.

    Any page in the browser can send the browser to the callback, but only Harvest knows the state.
    """
    return _has_state(_parse_query(address), request)


def _parse_query(address: str) -> dict[str, str]:
    query = address.strip().partition("#")[0]
    if "?" in query:
        query = query.partition("?")[2]
    return dict(parse_qsl(query[:_MAX_QUERY], keep_blank_values=True))


def _has_state(found: Mapping[str, str], request: LoginRequest) -> bool:
    return hmac.compare_digest(found.get("state", "").encode(), request.state.encode())


def parse_redirect(address: str, request: LoginRequest) -> Consent:
    """
    Read the answer to *request*.

    Args:
        address: The URL that the browser was sent to, or only its query.

    Raises:
        SignInError: The answer belongs to another request, is a refusal, or has no code.
    """
    found = _parse_query(address)
    if not _has_state(found, request):
        msg = (
            "The answer does not belong to this sign-in: its state is missing or different. It "
            "may come from an older browser window, or from another site. "
            f"{_suggest_again(request.profile)}"
        )
        raise SignInError(msg)
    if "error" in found:
        why = _explain(found["error"], found.get("error_description", ""))
        raise SignInError(f"{why}. {_suggest_again(request.profile)}")
    if not found.get("code"):
        msg = f"The answer has no code. {_suggest_again(request.profile)}"
        raise SignInError(msg)
    return Consent(found["code"], printable(found.get("scope", "")))


def _explain(name: str, description: str) -> str:
    if name == "access_denied":
        return "Access was denied in the browser"
    said = f": {printable(description, limit=120)}" if description else ""
    return f"Harvest refused the sign-in ({printable(name, limit=40)}{said})"


def _suggest_again(profile: str) -> str:
    return f"Nothing was stored. Sign in again: {build_auth_command('login', profile)}"


@dataclass(frozen=True, slots=True)
class _Visit:
    """One visit to the callback, and a queue for the page that answers it; None: not accepted."""

    query: str = field(repr=False)
    page: queue.SimpleQueue[str | None] = field(default_factory=queue.SimpleQueue)


class Callback:
    """
    The page on a loopback address that the browser is sent back to; accepts one answer.

    Built by :func:`open_callback`.

    Attributes:
        shown: Set when the final page has been sent.
    """

    def __init__(self, redirect_url: str) -> None:
        self.redirect_url = redirect_url
        self._visits: queue.SimpleQueue[_Visit] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._has_ended = False
        self.shown = threading.Event()

    def wait(
        self,
        timeout_s: float,
        finish: Callable[[str], str],
        *,
        accepts: Callable[[str], bool],
        profile: str = PROFILE,
    ) -> None:
        """
        Wait for the browser, finish the login with its query, and show the result.

        A visit whose query is not accepted gets a page that says so, and the wait continues:
        another page, or an older window, must not be able to end the login.

        Args:
            finish: Called with the query; returns the text of the final page.
            accepts: Whether a query answers this login.
            profile: The named sign-in, for messages.

        Raises:
            SignInError: The browser did not come back in time.
            HarvestError: Raised by *finish*; the page shows its message.
        """
        visit = self._wait_for_answer(timeout_s, accepts)
        if visit is None:
            msg = (
                f"The browser did not come back within {timeout_s:.0f} s. {_suggest_again(profile)}"
            )
            raise SignInError(msg)
        title, text = "Not signed in", "See the terminal."
        try:
            title, text = "Signed in", finish(visit.query)
        except HarvestError as error:
            text = str(error)
            raise
        finally:
            visit.page.put(build_page(title, text))
            self.shown.wait(_SHOW_S)

    def _wait_for_answer(self, timeout_s: float, accepts: Callable[[str], bool]) -> _Visit | None:
        """The visit that is the answer; None if there was none in time."""
        end = time.monotonic() + timeout_s
        try:
            while True:
                visit = self._visits.get(timeout=max(end - time.monotonic(), 0))
                if accepts(visit.query):
                    return visit
                visit.page.put(None)
        except queue.Empty:
            return None
        finally:
            self._refuse_others()

    def _refuse_others(self) -> None:
        """Accept no more visits. Those still waiting are not the answer, or came after it."""
        with self._lock:
            self._has_ended = True
            while not self._visits.empty():
                self._visits.get().page.put(None)

    @property
    def has_ended(self) -> bool:
        """Whether the answer was accepted or the time is up."""
        with self._lock:
            return self._has_ended

    def visit(self, query: str) -> str | None:
        """
        Answer a visit with the final page.

        Returns:
            None for a visit that is not the answer to this login, or comes after the answer.
        """
        visit = _Visit(query)
        with self._lock:
            if self._has_ended:
                return None
            self._visits.put(visit)
        try:
            return visit.page.get(timeout=_ANSWER_S)
        except queue.Empty:
            return build_page("Not signed in", "It took too long. See the terminal.")


@contextmanager
def open_callback(redirect_url: str) -> Iterator[Callback]:
    """
    Serve *redirect_url* while the block runs.

    Args:
        redirect_url: ``http`` on a loopback address. Port 0 selects a free port; the callback's own
            ``redirect_url`` contains it.

    Raises:
        ConfigError: Not ``http`` on a loopback address, or the port is in use.
    """
    try:
        parts = urlsplit(redirect_url)
        port = 80 if parts.port is None else parts.port
    except ValueError:
        parts, port = urlsplit(""), -1
    host = parts.hostname or ""
    if parts.scheme != "http" or not is_loopback(host) or ":" in host or port < 0 or parts.query:
        msg = (
            "Only http://127.0.0.1, or another loopback address, can be served. For any other "
            "redirect URL add --no-browser, and paste the address you were sent to."
        )
        raise ConfigError(msg)
    address = "127.0.0.1" if host == "localhost" else host
    try:
        server = _Server((address, port), _Visitor)
    except OSError as error:
        msg = (
            f"Cannot listen at {address}:{port} ({error.strerror}). Name another --port, or leave "
            "it out for a free one; or add --no-browser."
        )
        raise ConfigError(msg) from error
    path = parts.path or "/"
    server.path = path
    server.callback = Callback(f"http://{host}:{server.server_address[1]}{path}")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.callback
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def build_page(title: str, text: str) -> str:
    """The HTML page that ends a login."""
    return _PAGE.format(title=escape(title), text=escape(text))


class _Server(ThreadingHTTPServer):
    """Does not wait for connections that never send a request."""

    daemon_threads = True
    block_on_close = False
    callback: Callback
    path: str

    def handle_error(self, request: object, client_address: object) -> None:
        """Print no traceback when the browser closes a connection early."""


class _Visitor(BaseHTTPRequestHandler):
    """Answers GETs of the one path; logs nothing, because the URL contains the code."""

    timeout = _SILENCE_S
    server_version = "harvest-source"
    sys_version = ""
    server: _Server

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path != self.server.path or len(self.path) > _MAX_QUERY:
            self._answer(404, build_page("Not here", "This page only completes a sign-in."))
            return
        callback = self.server.callback
        page = callback.visit(query)
        if page is not None:
            try:
                self._answer(200, page)
            finally:
                callback.shown.set()
        elif callback.has_ended:
            self._answer(410, build_page("Too late", "This sign-in has already ended."))
        else:
            self._answer(400, build_page("Not this sign-in", _STRAY))

    def _answer(self, status: int, page: str) -> None:
        body = page.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as inherited
        """Log nothing."""
