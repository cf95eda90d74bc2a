"""Answers as values, and every recorded form of an error (behaviour.md 2)."""

from __future__ import annotations

from dataclasses import dataclass

from harvest_source.sandbox.data.values import dumps

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"

WHY_REFUSED = (
    "The access token provided is expired, revoked, malformed or invalid for other reasons."
)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    One answer and how it is sent.

    Attributes:
        delay_s: Extra delay before the first byte.
        stall: Accept the request and never answer.
        cut_after: Close the connection after that many body bytes; -1 closes before the headers.
        declared_length: ``Content-Length`` to send; the body's length when ``None``.
        chunk: Body bytes per write, *chunk_delay_s* apart; all at once when ``None``.
        date_shift_s: Seconds added to the ``Date`` header; ``None`` leaves the header out.
    """

    status: int
    body: bytes
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0
    stall: bool = False
    cut_after: int | None = None
    declared_length: int | None = None
    chunk: int | None = None
    chunk_delay_s: float = 0
    date_shift_s: float | None = 0


class RefusalError(ValueError):
    """A request that the API answers with an error; carries the answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(f"{reply.status} {reply.body.decode('utf-8', 'replace')}")
        self.reply = reply


def bad_request(message: str) -> Reply:
    """400. The form of the body is recorded for reports, and assumed to be the same elsewhere."""
    return Reply(400, dumps({"message": message}))


def unauthorized() -> Reply:
    """401 for a bad token and for a missing account header alike (quirk 1)."""
    body = dumps({"error": "invalid_token", "error_description": WHY_REFUSED})
    challenge = f'Bearer realm="Harvest", error="invalid_token", error_description="{WHY_REFUSED}"'
    return Reply(401, body, headers=(("WWW-Authenticate", challenge),))


def forbidden() -> Reply:
    """403: the role is too low for the table."""
    body = dumps({"message": "Not authorized!"})
    return Reply(403, body, headers=(("Hint", "Not authorized!"),))


def not_found() -> Reply:
    """404 for a record that does not exist or that the user may not see."""
    return Reply(404, dumps({"status": 404, "error": "Not Found"}))


def unknown_page() -> Reply:
    """404 for a path that Harvest does not have, with an HTML body (quirk 19)."""
    return Reply(404, b"<!DOCTYPE html>\n<html><body><h1>Not Found</h1></body></html>\n", HTML)


def invalid(*problems: str) -> Reply:
    """422; several problems are joined by a comma, and ``Hint`` repeats them."""
    message = ", ".join(problems)
    return Reply(422, dumps({"message": message}), headers=(("Hint", message),))


def oauth_error(error: str, why: str, status: int = 400) -> Reply:
    """A refused token request."""
    return Reply(status, dumps({"error": error, "error_description": why}))


def throttled(retry_after_s: int | None, *, html: bool = False) -> Reply:
    """
    429: an empty body of type HTML, as recorded (S6), or a page, as clients report (quirk 19).

    Args:
        retry_after_s: ``Retry-After`` in seconds; the header is left out when ``None``.
    """
    headers = () if retry_after_s is None else (("Retry-After", str(retry_after_s)),)
    page = b"<html><body><h1>Too Many Requests</h1></body></html>\n"
    return Reply(429, page if html else b"", "text/html", headers)


def server_error(status: int, *, html: bool = False) -> Reply:
    """5xx. Unverified against a live account: no recording shows the body."""
    if html:
        return Reply(status, b"<html><body><h1>We are sorry</h1></body></html>\n", HTML)
    return Reply(status, dumps({"message": "Something went wrong."}))
