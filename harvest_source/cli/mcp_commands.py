"""The command that serves the warehouse to agents, and those that manage callers' tokens."""

from __future__ import annotations

import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from harvest_source.cli.asking import (
    AskingCommand,
    find_caller,
    open_access,
    open_audit_log,
    read_only_file_options,
)
from harvest_source.cli.console import print_address, print_json, print_table
from harvest_source.cli.options import Context, common_options, refuse_given
from harvest_source.cli.streams import OutputError
from harvest_source.defaults import PROFILE
from harvest_source.errors import ConfigError
from harvest_source.exit_codes import ExitCode
from harvest_source.installation import build_extra_command

if TYPE_CHECKING:
    from harvest_source.ask.audit_log import AuditLog
    from harvest_source.ask.mcp.http_callers import HttpCallers
    from harvest_source.ask.mcp.server_address import ServerAddress
    from harvest_source.auth.server_tokens import ServerTokens

_ADDRESS = "127.0.0.1:8765"
_URL = f"http://{_ADDRESS}/mcp"


class _McpGroup(AskingCommand, click.Group):
    """The server, and below it the commands for its tokens."""


@click.group(cls=_McpGroup, invoke_without_command=True)
@click.option(
    "--audit-log",
    metavar="PATH",
    help="File with one line for each call.  [default: mcp.log in the user's log folder]",
)
@click.option(
    "--http",
    metavar="HOST:PORT",
    help=(
        f"Serve over HTTP to callers with a token, such as on {_ADDRESS}.  [default: stdin and "
        "stdout]"
    ),
)
@click.option("--url", metavar="URL", help="Address that callers use.  [default: made from --http]")
@click.option("--tls-cert", metavar="PATH", help="Certificate, if other machines connect.")
@click.option("--tls-key", metavar="PATH", help="Key of the certificate.")
@click.option("--proxy", metavar="ADDRESS", help="The proxy that encrypts; only it may connect.")
@read_only_file_options
@common_options
@click.pass_context
def mcp(command: click.Context, /, context: Context, **options: Any) -> int:
    """
    Serve the warehouse to agents, read-only.

    Speaks the Model Context Protocol on stdin and stdout, or with --http to callers that have a
    token from mcp token add, or from the issuer at issuer_url. Needs the extra mcp.
    """
    if (below := command.invoked_subcommand) is not None:
        # ``mcp --url https://... token add ada`` would make a token for another server.
        why = (
            "it applies to the server. Leave it out, or write it after the subcommand of mcp "
            f"{below}."
        )
        refuse_given(tuple(options), why)
        return ExitCode.DONE
    try:
        return _serve(context, options)
    except ModuleNotFoundError as error:
        msg = f"This command needs the extra mcp. Install it: {build_extra_command('mcp')}"
        raise ConfigError(msg) from error


def _serve(context: Context, options: dict[str, Any]) -> int:
    from functools import partial

    import anyio

    from harvest_source.ask.mcp.server import AskServer, serve_stdio
    from harvest_source.clock import SystemClock

    if options["http"] is None:
        names = ("url", "tls_cert", "tls_key", "proxy")
        refuse_given(names, "it applies to callers over HTTP. Give the address with --http.")
    else:
        why = "over HTTP each caller's token sets it: harvest-source mcp token add."
        refuse_given(("scope", "as_profile"), why)
    context.console.quiet = True  # stdout belongs to the protocol.
    access, clock = open_access(options), SystemClock()
    access.runner.keeps_one_ready = True
    audit = open_audit_log(context, options["audit_log"], clock.now)
    with closing(access.runner):
        if options["http"] is None:
            caller = find_caller(context, options, "stdio")
            anyio.run(serve_stdio, AskServer(access, lambda _: caller, audit, clock))
        else:
            from harvest_source.ask.mcp.http import build_app, serve_http
            from harvest_source.ask.trouble import Trouble

            address = _build_address(options)
            callers = _build_callers(context, address, audit)
            trouble = Trouble(context.console.error)
            server = AskServer(access.for_server(), callers.find_caller, audit, clock, trouble)
            tell = partial(
                print_address,
                address.url,
                as_json=context.console.as_json,
                listens=options["http"] if options["url"] else "",
            )
            anyio.run(serve_http, build_app(server, callers, address), address, tell)
    return ExitCode.DONE


def _build_callers(context: Context, address: ServerAddress, audit: AuditLog) -> HttpCallers:
    """
    Build the recognition of callers over HTTP.

    Raises:
        ConfigError: There is neither an issuer nor a token, or an issuer setting is invalid.
    """
    from functools import partial

    from harvest_source.ask.mcp.http_callers import HttpCallers, OwnTokens
    from harvest_source.ask.mcp.issuer import IssuerTokens
    from harvest_source.ask.mcp.issuer_keys import IssuerKeys, fetch_keys
    from harvest_source.ask.trouble import Trouble
    from harvest_source.clock import SystemClock
    from harvest_source.config.issuer import parse_issuer
    from harvest_source.config.resolve import read_configuration

    tell, scopes = context.console.error, _read_scopes()
    settings = parse_issuer(read_configuration({}))
    own = OwnTokens(_open_tokens(context, needs_one=settings is None), scopes, Trouble(tell))
    if settings is None:
        return HttpCallers(own)
    keys = IssuerKeys(partial(fetch_keys, settings.url), SystemClock(), Trouble(tell))
    return HttpCallers(own, IssuerTokens(settings, keys, scopes, address.url, audit.note_refusal))


@mcp.group()
@common_options
def token(context: Context) -> None:
    """Tokens of callers over HTTP."""
    del context  # Its options were taken by the decorator.


@token.command()
@click.argument("name")
@click.option(
    "--scope", required=True, metavar="NAME", help="Scope that says what the token allows."
)
@click.option(
    "--days",
    type=click.IntRange(1, 36_500),
    metavar="N",
    help="Days until the token expires.  [default: never]",
)
@click.option(
    "--url", default=_URL, show_default=True, metavar="URL", help="Server that the token is for."
)
@common_options
def add(context: Context, *, name: str, scope: str, days: int | None, url: str) -> int:
    """
    Make a token for NAME and print it, for the only time.

    --profile names the sign-in that says which person uses it.
    """
    from harvest_source.ask.mcp.address import split_address
    from harvest_source.ask.scopes import Rows, choose_scope

    allowed = choose_scope(_read_scopes(), scope)
    split_address(url)
    profile, tokens = context.profile or PROFILE, _open_tokens(context)
    if context.profile or allowed.rows is not Rows.ALL:
        _check_sign_in(context, profile)
    made = tokens.add(name, scope=scope, profile=profile, url=url, days=days)
    try:
        if context.console.as_json:
            print_json({"status": "ok", "name": name, "token": made})
        else:
            click.echo(made)
        sys.stdout.flush()
    except (BrokenPipeError, OutputError):
        tokens.revoke(name=name)  # It was never shown, and would block its name.
        raise
    return ExitCode.DONE


@token.command("list")
@common_options
def list_tokens(context: Context) -> int:
    """Show for whom there are tokens; never a token."""
    found = [each.as_dict() for each in _open_tokens(context).read()]
    if context.console.as_json:
        print_json({"status": "ok", "tokens": found})
    else:
        names = ("name", "scope", "profile", "url", "created_at", "expires_at")
        print_table(
            ("Name", "Scope", "Profile", "Server", "Made", "Ends"),
            [[str(each[name] or "-") for name in names] for each in found],
        )
    return ExitCode.DONE


@token.command()
@click.argument("name")
@common_options
def revoke(context: Context, *, name: str) -> int:
    """End the token of NAME; a running server refuses it from now on."""
    if not _open_tokens(context).revoke(name=name):
        raise ConfigError(
            f"There is no token named {name[:64]}. See: harvest-source mcp token list"
        )
    context.finish()
    if context.console.as_json:
        print_json({"status": "ok", "revoked": [name]})
    else:
        context.console.note("ok", f"revoked {name}")
    return ExitCode.DONE


def _check_sign_in(context: Context, profile: str) -> None:
    """
    Refuse a profile without a sign-in: a scope by person shows nothing to its token.

    Raises:
        ConfigError: It has none; the message names the command that makes it.
    """
    from harvest_source.config.sign_in import choose_sign_in
    from harvest_source.operations.login import open_sign_in_context

    sign_in = open_sign_in_context({"auth_profile": profile}, context.console.warn)
    choose_sign_in(sign_in.config, sign_in.http, may_exchange=False)


def _read_scopes() -> Any:
    from harvest_source.ask.scopes import parse_scopes
    from harvest_source.config.scopes import read_scopes

    return parse_scopes(read_scopes())


def _open_tokens(context: Context, *, needs_one: bool = False) -> ServerTokens:
    """
    Open the tokens, which are stored beside the saved sign-ins.

    Raises:
        ConfigError: There is no token, and *needs_one* is set.
    """
    from harvest_source.auth.server_tokens import ServerTokens
    from harvest_source.clock import SystemClock
    from harvest_source.config.resolve import read_configuration
    from harvest_source.config.sign_in import build_vault

    config = read_configuration({})
    folder = build_vault(config, lambda text: context.console.note("warning", text)).folder
    tokens = ServerTokens(folder, SystemClock().now)
    if needs_one and not tokens.read():
        msg = "No caller has a token yet. Make one: harvest-source mcp token add NAME --scope SCOPE"
        raise ConfigError(msg)
    return tokens


def _build_address(options: dict[str, Any]) -> ServerAddress:
    from harvest_source.ask.mcp.address import PATH
    from harvest_source.ask.mcp.server_address import ServerAddress

    host, _, port = options["http"].rpartition(":")
    is_number = port.isascii() and port.isdigit() and len(port) <= len("65535")
    if not host or not is_number or not 0 < int(port) < 65536:
        raise ConfigError(f"--http has to be HOST:PORT, such as {_ADDRESS}.")
    host = host.strip("[]")
    scheme = "https" if options["tls_cert"] else "http"
    return ServerAddress(
        host,
        int(port),
        options["url"] or f"{scheme}://{options['http']}{PATH}",
        options["tls_cert"] or "",
        options["tls_key"] or "",
        options["proxy"] or "",
    )
