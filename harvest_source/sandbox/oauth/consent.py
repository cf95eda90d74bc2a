"""The consent page and its answers (behaviour.md 10)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from harvest_source.sandbox.settings import App

ASKED = ("client_id", "response_type", "state", "redirect_uri",
         "code_challenge", "code_challenge_method")  # fmt: skip

FORM = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Authorize {app}</title><link rel="icon" href="data:,"></head>
<body>
<h1>{app} would like to reach your data</h1>
<p>Signed in as {email}.</p>
<form method="post" action="/oauth2/authorize">
{fields}
{accounts}
<button id="approve" name="decision" value="approve">Authorize App</button>
<button id="deny" name="decision" value="deny">Deny</button>
</form>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Page:
    """An HTML page."""

    status: int
    html: str


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect back to the app."""

    location: str


@dataclass(frozen=True, slots=True)
class Reachable:
    """An account that a person may open to an app; *product* is ``harvest`` or ``forecast``."""

    account_id: int
    name: str
    product: str


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request to the authorize endpoint.

    Attributes:
        params: Its parameters, from the query or from the submitted form.
        posted: Whether it is the submitted form.
        chosen: Account ids that the person ticked; empty unless the form was submitted.
    """

    params: Mapping[str, str]
    posted: bool = False
    chosen: frozenset[int] = frozenset()


def build_form(
    app: App, email: str, params: Mapping[str, str], accounts: Sequence[Reachable]
) -> Page:
    """The consent form; every account is ticked initially."""
    hidden = "\n".join(
        f'<input type="hidden" name="{name}" value="{escape(params[name])}">'
        for name in ASKED
        if name in params
    )
    boxes = "\n".join(
        f'<label><input type="checkbox" name="account" value="{row.account_id}" checked> '
        f"{escape(row.name)} ({row.product} {row.account_id})</label>"
        for row in accounts
    )
    html = FORM.format(app=escape(app.name), email=escape(email), fields=hidden, accounts=boxes)
    return Page(200, html)


def build_problem(text: str) -> Page:
    """A page with status 400 that says what is wrong with the request."""
    return Page(400, f"<!DOCTYPE html>\n<html><body><h1>{escape(text)}</h1></body></html>\n")
