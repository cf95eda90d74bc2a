"""
What ends together with a sign-in, and where its revocation is logged.

``auth revoke`` knows no other kind of access that depends on a sign-in. Everything is imported
inside the functions, so that the command's help stays quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harvest_source.clock import Clock
    from harvest_source.operations.login import SignInContext
    from harvest_source.operations.revocation import Dependant, RevocationReport


def list_dependants(context: SignInContext) -> tuple[Dependant, ...]:
    """
    List the access that depends on a sign-in, in the order in which it is ended.

    A session of the server for agents belongs to its token, and ends with it at the next call.
    """
    from harvest_source.auth.server_tokens import ServerTokens
    from harvest_source.auth.vault_files import NoFolderError
    from harvest_source.config.sign_in import build_vault
    from harvest_source.operations.revocation import Dependant

    def end_tokens(profile: str) -> int:
        return len(tokens.revoke(profile=profile)) if tokens.read() else 0

    try:
        folder = build_vault(context.config, context.warn).folder
    except NoFolderError:
        return ()
    tokens = ServerTokens(folder, context.http.clock.now)
    return (Dependant("tokens", end_tokens),)


def note_revocation(report: RevocationReport, clock: Clock, *, ms: int) -> str:
    """
    Log the revocation in the agent server's audit log; return why it failed, or an empty text.

    Args:
        ms: How long the revocation took.
    """
    from harvest_source.ask.access import Caller
    from harvest_source.ask.audit_log import AuditLog, Call
    from harvest_source.cli.asking import find_audit_log
    from harvest_source.errors import ConfigError, printable

    outcome = ", ".join(dict.fromkeys(type(error).__name__ for error in report.errors)) or "ok"
    call = Call(
        Caller("cli", profile=report.profile),
        arguments={"profile": report.profile, "harvest": str(report.harvest), **report.ended},
        outcome=outcome,
    )
    try:
        AuditLog(find_audit_log(None), now=clock.now).write("auth revoke", call, ms=ms)
    except ConfigError as error:
        cause = error.__cause__
        return printable((isinstance(cause, OSError) and cause.strerror) or error)
    return ""
