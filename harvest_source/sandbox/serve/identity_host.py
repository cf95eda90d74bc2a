"""The identity host over HTTP."""

from __future__ import annotations

from urllib.parse import parse_qs

from harvest_source.sandbox.data.values import dumps, parse_whole
from harvest_source.sandbox.oauth.consent import Asked, Redirect
from harvest_source.sandbox.oauth.identity import Identity
from harvest_source.sandbox.oauth.logins import GrantRefusedError
from harvest_source.sandbox.serve import reply as replies
from harvest_source.sandbox.serve.reply import HTML, Reply, oauth_error
from harvest_source.sandbox.serve.requests import Request, read_fields


def answer_identity(identity: Identity, request: Request) -> Reply:
    """The answer to a request for the consent page, the token endpoint or the revocation."""
    if request.table == "oauth_token":
        return _token(identity, request) if request.method == "POST" else replies.unknown_page()
    if request.table == "oauth_revoke":
        is_offered = identity.logins.options.revocation and request.method == "POST"
        return _revoke(identity, request) if is_offered else replies.unknown_page()
    found = identity.authorize(_read_asked(request), request.time)
    if isinstance(found, Redirect):
        return Reply(302, b"", HTML, (("Location", found.location),))
    return Reply(found.status, found.html.encode(), HTML)


def _read_asked(request: Request) -> Asked:
    if request.method != "POST":
        return Asked(dict(request.params))
    fields = parse_qs(request.body.decode("utf-8", "replace"))
    ticked = map(parse_whole, fields.get("account", []))
    chosen = frozenset(account_id for account_id in ticked if account_id is not None)
    return Asked({name: found[0] for name, found in fields.items()}, True, chosen)


def _token(identity: Identity, request: Request) -> Reply:
    """
    The answer of the token endpoint; every refusal is ``{error, error_description}``.

    Unverified against a live account: the statuses, 401 for a bad client and 400 otherwise
    (RFC 6749).
    """
    try:
        content = identity.grant(read_fields(request), request.time)
    except GrantRefusedError as refused:
        return _refuse(refused)
    return Reply(200, dumps(content))


def _revoke(identity: Identity, request: Request) -> Reply:
    """
    The answer of the revocation endpoint: 200 even for an unknown token (RFC 7009).

    Unverified against a live account: that there is such an endpoint.
    """
    try:
        identity.revoke(read_fields(request))
    except GrantRefusedError as refused:
        return _refuse(refused)
    return Reply(200, b"{}")


def _refuse(refused: GrantRefusedError) -> Reply:
    status = 401 if refused.error == "invalid_client" else 400
    return oauth_error(refused.error, refused.why, status)
