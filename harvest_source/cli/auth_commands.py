"""``harvest-source auth``: sign in, see which credential is used, sign out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import click

from harvest_source.cli.browser import open_browser
from harvest_source.cli.options import Context, common_options, refuse_given
from harvest_source.cli.show_auth import (
    show_accounts,
    show_address,
    show_health,
    show_login,
    show_logout,
    show_revocation,
    show_rotation,
    show_status,
)
from harvest_source.errors import ConfigError
from harvest_source.exit_codes import ExitCode
from harvest_source.notices import Notice

if TYPE_CHECKING:
    from harvest_source.auth.accounts import Account
    from harvest_source.auth.browser_login import LoginRequest
    from harvest_source.auth.saved_login import SavedLogin
    from harvest_source.auth.token_endpoint import App
    from harvest_source.auth.vault import Vault
    from harvest_source.config.spec import HarvestConfiguration
    from harvest_source.operations.login import SignInContext

_TIMEOUT_S: Final = 300
_PASTED_URL: Final = "http://127.0.0.1:8765/callback"
"""Used with --no-browser. The page need not load: the user copies its address from the browser."""


@click.group()
@common_options
def auth(context: Context) -> None:
    """
    Sign in to Harvest and keep the sign-in, encrypted.

    A token or refresh token in the configuration takes precedence over any sign-in that is kept.
    """
    del context  # Its options were taken by the decorator.


@auth.command()
@click.option("--no-browser", is_flag=True, help="Print the address, and read the pasted answer.")
@click.option("--token", is_flag=True, help="Save a personal access token, from a prompt or stdin.")
@click.option("--account", metavar="ID", help="The account to remember, if there are several.")
@click.option(
    "--pkce", is_flag=True, help="Send a PKCE challenge, which Harvest does not document."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Port that the browser returns to.  [default: a free one]",
)
@click.option(
    "--redirect-url", metavar="URL", help="As registered for the app.  [default: http://127.0.0.1]"
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(1, 86_400),
    default=_TIMEOUT_S,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the browser.",
)
@common_options
def login(context: Context, *, token: bool, account: str | None, **options: Any) -> int:
    """
    Sign in in the browser, and remember the account.

    Needs an OAuth app: register one at https://id.getharvest.com/developers with the redirect URL
    http://127.0.0.1, and put its credentials.client_id and credentials.client_secret into
    .dlt/secrets.toml. No option takes a token: it would show in the process list.
    """
    from harvest_source.config.parse import parse_account_ids
    from harvest_source.operations.login import open_vault_for_login, settle_login

    if account is not None:
        parse_account_ids(account)  # Now, so that no person signs in only to be refused.
    if token:
        refuse_given(tuple(options), "--token reads a token and uses no browser.")
    if options["no_browser"]:
        refuse_given(["timeout_s"], "--no-browser waits until an answer is pasted. Leave it out.")
    sign_in = _open(context)
    vault = open_vault_for_login(sign_in)
    made = _read_token(sign_in) if token else _BrowserLogin(**options).run(context, sign_in, vault)
    ask = _ask_account if _is_terminal() else lambda _: None
    settled = settle_login(sign_in, vault, made, account=account, ask=ask)
    context.finish()
    show_login(context.console, settled)
    return ExitCode.DONE


@auth.command()
@click.option("--check", is_flag=True, help="Ask Harvest whether the sign-in still works.")
@click.option("--all", "every", is_flag=True, help="Look at the sign-ins of every profile.")
@common_options
def status(context: Context, *, check: bool, every: bool) -> int:
    """
    Show which credential counts, and what is known of it; exit code 3 when it is dead.

    Its value is never shown. Without --check nothing is sent. With --check --all an access token
    that is due is renewed, as by a sync, and sign-ins that need their owner are sent to notify_url.
    """
    if every:
        return _show_every_sign_in(context, check=check)
    from harvest_source.operations.login import open_sign_in_context
    from harvest_source.operations.sign_in_status import read_status

    notices: list[Notice] = []
    sign_in = open_sign_in_context(context.settings, notices.append)
    report = read_status(sign_in, notices, ask=check)
    context.exit_code = report.exit_code
    show_status(context.console, report)
    return report.exit_code


@auth.command()
@common_options
def accounts(context: Context) -> int:
    """List the accounts that the credential reaches."""
    from harvest_source.operations.sign_in_status import list_accounts

    show_accounts(context.console, list_accounts(_open(context)))
    return ExitCode.DONE


@auth.command()
@common_options
def logout(context: Context) -> int:
    """Forget the sign-in that is kept; the configuration stays as it is."""
    from harvest_source.operations.login import open_vault

    sign_in = _open(context)
    vault = open_vault(sign_in)
    with vault.lock(sign_in.profile):
        was_there = vault.files.forget(sign_in.profile)
    context.finish()
    show_logout(context.console, sign_in.profile, was_there=was_there)
    return ExitCode.DONE


@auth.command()
@click.argument("name")
@common_options
def revoke(context: Context, name: str) -> int:
    """
    End the sign-in of profile NAME, here and at Harvest, and all access that depends on it.

    Harvest documents no way for an app to end a sign-in. If it offers none, the sign-in is
    forgotten here, and the command says what its owner has to do in a browser.
    """
    from harvest_source.auth.profiles import check_profile
    from harvest_source.cli.dependants import list_dependants, note_revocation
    from harvest_source.operations.revocation import revoke_sign_in

    if context.profile not in (None, name):
        msg = "--profile and NAME are different profiles. Leave --profile out."
        raise ConfigError(msg)
    context.profile = check_profile(name, "NAME")
    sign_in = _open(context)
    clock = sign_in.http.clock
    began = clock.monotonic()
    report = revoke_sign_in(sign_in, list_dependants(sign_in))
    why = note_revocation(report, clock, ms=round((clock.monotonic() - began) * 1000))
    if why:
        error = ConfigError(f"The audit log could not be written ({why}).")
        report = replace(report, errors=(*report.errors, error))
    context.finish(report.exit_code)
    show_revocation(context.console, report)
    return report.exit_code


@auth.command("rotate-key")
@common_options
def rotate_key(context: Context) -> int:
    """Encrypt the kept sign-ins of all profiles with a new key."""
    from harvest_source.operations.login import open_vault

    vault = open_vault(_open(context))
    rotated = vault.rotate()
    context.finish()
    show_rotation(context.console, rotated, vault.keys.place.name)
    return ExitCode.DONE


def _show_every_sign_in(context: Context, *, check: bool) -> int:
    from harvest_source.operations.sign_in_health import check_sign_ins

    if context.profile is not None:
        msg = "--all looks at every profile. Leave out --profile or --all."
        raise ConfigError(msg)
    report = check_sign_ins(_open(context), ask=check)
    context.exit_code = report.exit_code
    show_health(context.console, report)
    return report.exit_code


def _open(context: Context) -> SignInContext:
    """Resolve the settings; each warning is printed immediately, and only once."""
    from harvest_source.operations.login import open_sign_in_context

    printed: set[Notice] = set()

    def print_once(notice: Notice) -> None:
        if notice not in printed:
            printed.add(notice)
            context.console.warn(notice)

    return open_sign_in_context(context.settings, print_once)


def _read_token(sign_in: SignInContext) -> SavedLogin:
    from harvest_source.auth.saved_login import SavedLogin
    from harvest_source.auth.token_endpoint import Tokens

    secret = _read_secret("Personal access token")
    return SavedLogin(Tokens(access_token=secret), signed_in_at=sign_in.http.clock.now())


@dataclass(frozen=True, slots=True)
class _BrowserLogin:
    """A login in the browser, with the options of ``auth login``."""

    no_browser: bool
    pkce: bool
    port: int | None
    redirect_url: str | None
    timeout_s: float

    def run(self, context: Context, sign_in: SignInContext, vault: Vault) -> SavedLogin:
        from harvest_source.auth.browser_login import is_answer, open_callback

        app = _find_app(sign_in.config)
        if self.no_browser:
            request = self._build_request(sign_in, app, self._choose_pasted_url())
            show_address(request.url, by_hand=True)
            answer = _read_line("The whole address that you were sent to")
            return _finish(sign_in, vault, app, request, answer)
        made: list[SavedLogin] = []
        with open_callback(self._choose_callback_url()) as callback:
            request = self._build_request(sign_in, app, callback.redirect_url)
            show_address(request.url, by_hand=False)
            open_browser(request.url, context.console)

            def finish(query: str) -> str:
                made.append(_finish(sign_in, vault, app, request, query))
                return "harvest-source has what it needs. Return to the terminal."

            callback.wait(
                self.timeout_s,
                finish,
                accepts=lambda query: is_answer(query, request),
                profile=sign_in.profile,
            )
        return made[0]

    def _build_request(self, sign_in: SignInContext, app: App, redirect_url: str) -> LoginRequest:
        from harvest_source.auth.browser_login import build_login_request

        return build_login_request(
            sign_in.config.id_url,
            app.client_id,
            redirect_url,
            pkce=self.pkce,
            profile=sign_in.profile,
        )

    def _choose_pasted_url(self) -> str:
        self._refuse_two_places()
        if self.redirect_url:
            return self.redirect_url
        return f"http://127.0.0.1:{self.port}/callback" if self.port else _PASTED_URL

    def _choose_callback_url(self) -> str:
        self._refuse_two_places()
        return self.redirect_url or f"http://127.0.0.1:{self.port or 0}/callback"

    def _refuse_two_places(self) -> None:
        if self.redirect_url is not None and self.port is not None:
            msg = (
                "--port and --redirect-url both set where the browser returns to. Leave one of "
                "them out."
            )
            raise ConfigError(msg)


def _finish(
    sign_in: SignInContext, vault: Vault, app: App, request: LoginRequest, answer: str
) -> SavedLogin:
    from harvest_source.auth.browser_login import parse_redirect
    from harvest_source.operations.login import finish_login

    return finish_login(sign_in, vault, app, request, parse_redirect(answer, request))


def _find_app(config: HarvestConfiguration) -> App:
    """The configured OAuth app; on a terminal a prompt asks for what is missing."""
    from harvest_source.config.sign_in import build_app

    credentials = config.credentials
    if _is_terminal():
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
    """Read from a prompt that hides the input, or from the first line of stdin."""
    return _read(name, remedy="Type it at the prompt", hide=True).strip()


def _read_line(name: str) -> str:
    """Read from a prompt, or from the first line of stdin."""
    return _read(name, remedy="Paste it at the prompt", hide=False)


def _read(name: str, *, remedy: str, hide: bool) -> str:
    if _is_terminal():
        line: str = click.prompt(name, hide_input=hide, err=True)
    else:
        line = _read_stdin(name)
    if not line.strip():
        msg = f"{name}: nothing was given. {remedy}, or pipe it in."
        raise ConfigError(msg)
    return line


def _is_terminal() -> bool:
    """Whether stdin is a terminal; a process may have been started without any stdin."""
    return sys.stdin is not None and sys.stdin.isatty()


def _read_stdin(name: str) -> str:
    """
    Read the first line of stdin; empty if there is none.

    Raises:
        ConfigError: The line is not text; the message does not repeat it.
    """
    try:
        line = sys.stdin.readline() if sys.stdin is not None else ""
        line.encode()  # In some locales bytes that are not text are read as lone surrogates.
    except UnicodeError as error:
        msg = f"{name}: the piped input is not text in {sys.stdin.encoding}."
        raise ConfigError(msg) from error
    return line
