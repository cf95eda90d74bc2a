"""``harvest-source auth``: sign in, see what counts, sign out."""

from __future__ import annotations

import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from harvest_source.cli import auth_console as show_auth
from harvest_source.cli.options import Context, everywhere
from harvest_source.errors import ConfigError

if TYPE_CHECKING:
    from harvest_source.api.http_context import HttpContext
    from harvest_source.auth.accounts import Account
    from harvest_source.auth.browser_login import LoginRequest
    from harvest_source.auth.token_endpoint import App
    from harvest_source.config.spec import HarvestConfiguration
    from harvest_source.operations.login import LoginReport

_TIMEOUT_S: Final = 300
_PASTED: Final = "http://127.0.0.1:8765/callback"
"""Nobody has to be there: its address is copied from the browser, whatever that shows."""


@click.group()
@everywhere
def auth(context: Context) -> None:
    """
    Sign in to Harvest and keep the sign-in, encrypted.

    A token or refresh token in the configuration counts before any sign-in that is kept.
    """
    del context


@auth.command()
@click.option("--no-browser", is_flag=True, help="Print the address, take the pasted answer.")
@click.option("--token", is_flag=True, help="Keep a personal access token, from prompt or stdin.")
@click.option("--account", metavar="ID", help="The account to remember, if there are several.")
@click.option("--pkce", is_flag=True, help="Send a PKCE challenge; Harvest documents none.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Port to come back to.  [default: a free one]",
)
@click.option("--redirect-url", metavar="URL", help="As registered.  [default: http://127.0.0.1]")
@click.option(
    "--timeout",
    type=click.IntRange(1),
    default=_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser.",
)
@everywhere
def login(context: Context, *, token: bool, account: str | None, **how: Any) -> int:
    """
    Sign in in the browser, and remember the account.

    Needs an OAuth app: register one at https://id.getharvest.com/developers with the redirect URL
    http://127.0.0.1, and put its credentials.client_id and credentials.client_secret into
    .dlt/secrets.toml. No option takes a token: it would show in the process list.
    """
    from harvest_source.auth.saved_login import SavedLogin
    from harvest_source.auth.token_endpoint import Tokens
    from harvest_source.operations.login import open_vault, settle_login

    config, around, _ = _prepare(context)
    vault = open_vault(config, around)
    if token:
        secret = _read_secret("Personal access token")
        made = SavedLogin(Tokens(access_token=secret), signed_in_at=around.clock.now())
    else:
        made = _log_in(context, config, around, vault, **how)
    ask = _ask_account if sys.stdin.isatty() else lambda _: None
    report: LoginReport = settle_login(config, vault, made, around, account=account, ask=ask)
    show_auth.login(context, report)
    return 0


@auth.command()
@click.option("--check", is_flag=True, help="Ask Harvest whether it still works.")
@everywhere
def status(context: Context, *, check: bool) -> int:
    """
    Show which credential counts, and what is known of it; exit code 3 when it is dead.

    Never its value. Without --check nothing is sent.
    """
    from harvest_source.operations.login import look_up

    config, around, warnings = _prepare(context, tell=False)
    report = look_up(config, around, warnings, ask=check)
    context.exit_code = report.exit_code
    show_auth.status(context, report)
    return report.exit_code


@auth.command()
@everywhere
def accounts(context: Context) -> int:
    """List the accounts that the credential reaches."""
    from harvest_source.operations.login import list_accounts

    config, around, _ = _prepare(context)
    show_auth.accounts(context, list_accounts(config, around))
    return 0


@auth.command()
@everywhere
def logout(context: Context) -> int:
    """Forget the sign-in that is kept; the configuration stays as it is."""
    from harvest_source.operations.login import open_vault

    config, around, _ = _prepare(context)
    vault = open_vault(config, around)
    with vault.lock(config.auth_profile):
        was_there = vault.forget(config.auth_profile)
    show_auth.logout(context, config.auth_profile, was_there)
    return 0


@auth.command("rotate-key")
@everywhere
def rotate_key(context: Context) -> int:
    """Seal all sign-ins that are kept, of every profile, with a new key."""
    from harvest_source.operations.login import open_vault

    config, around, _ = _prepare(context)
    vault = open_vault(config, around)
    show_auth.rotation(context, vault.rotate(), vault.keys.place.name)
    return 0


def _prepare(
    context: Context, *, tell: bool = True
) -> tuple[HarvestConfiguration, HttpContext, list[str]]:
    """
    Settings and surroundings, and the list that warnings go into.

    Args:
        tell: Say them at once, too.
    """
    from harvest_source.config.resolve import read_configuration
    from harvest_source.load.settings import build_http_context

    warnings: list[str] = []

    def warn(message: str) -> None:
        if message not in warnings:
            warnings.append(message)
            if tell:
                context.console.note("warning", message)

    config = read_configuration(context.settings)
    return config, build_http_context(config, on_warning=warn), warnings


def _log_in(
    context: Context,
    config: HarvestConfiguration,
    around: HttpContext,
    vault: Any,
    *,
    no_browser: bool,
    pkce: bool,
    port: int | None,
    redirect_url: str | None,
    timeout: float,
) -> Any:
    from harvest_source.auth.browser_login import (
        build_login_request,
        open_callback,
        parse_redirect,
    )
    from harvest_source.operations.login import finish_login

    app = _find_app(config)
    made = []

    def finish(request: LoginRequest, answer: str) -> str:
        consent = parse_redirect(answer, request)
        made.append(finish_login(config, vault, app, request, consent, around))
        return "harvest-source has what it needs. The rest is in the terminal."

    if no_browser:
        address = redirect_url or (f"http://127.0.0.1:{port}/callback" if port else _PASTED)
        request = build_login_request(config.id_url, app.client_id, address, pkce=pkce)
        show_auth.address(request.url, by_hand=True)
        finish(request, _read_line("The address you were sent to, all of it"))
        return made[0]
    with open_callback(_listen_at(redirect_url, port)) as callback:
        request = build_login_request(
            config.id_url, app.client_id, callback.redirect_url, pkce=pkce
        )
        show_auth.address(request.url, by_hand=False)
        _open_browser(request.url, context)
        callback.wait(timeout, lambda query: finish(request, query))
    return made[0]


def _listen_at(redirect_url: str | None, port: int | None) -> str:
    if redirect_url is None:
        return f"http://127.0.0.1:{port or 0}/callback"
    if port is not None:
        msg = "--port and --redirect-url both say where to come back to. Leave one of them out."
        raise ConfigError(msg)
    return redirect_url


def _open_browser(url: str, context: Context) -> None:
    """In a thread: a browser named in BROWSER may stay in the foreground until it is closed."""

    def open_it() -> None:
        if not webbrowser.open(url):
            context.console.note("warning", "No browser could be opened: open the address by hand.")

    threading.Thread(target=open_it, name="harvest-browser", daemon=True).start()


def _find_app(config: HarvestConfiguration) -> App:
    """The configured app; a person is asked for what is missing."""
    from harvest_source.config.sign_in import build_app

    credentials = config.credentials
    if sys.stdin.isatty():
        if not credentials.client_id:
            credentials.client_id = click.prompt("Client id of the OAuth app", err=True)
        if not credentials.client_secret:
            credentials.client_secret = _read_secret("Client secret of the OAuth app")
    return build_app(config)


def _ask_account(accounts: Sequence[Account]) -> int | None:
    for account in accounts:
        click.echo(f"{account.id:>10}  {account.name}", err=True)
    chosen: int = click.prompt("Account", type=click.IntRange(1), err=True)
    return chosen


def _read_secret(name: str) -> str:
    """From a prompt that does not show it, or the first line of stdin."""
    secret: str = click.prompt(name, hide_input=True, err=True) if sys.stdin.isatty() else _line()
    if not secret.strip():
        msg = f"{name}: nothing was given. Type it at the prompt, or pipe it in."
        raise ConfigError(msg)
    return secret.strip()


def _read_line(name: str) -> str:
    asked: Callable[[], str] = lambda: click.prompt(name, err=True)  # noqa: E731
    line = asked() if sys.stdin.isatty() else _line()
    if not line.strip():
        msg = f"{name}: nothing was given. Paste it at the prompt, or pipe it in."
        raise ConfigError(msg)
    return line


def _line() -> str:
    return sys.stdin.readline()
