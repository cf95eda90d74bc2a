"""Check what a sync will meet: credentials, account, role, modules, limits, tables, destination."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from harvest_source.api.rate_limit import GENERAL
from harvest_source.auth.oauth import NotExchangedError
from harvest_source.auth.sessions import Session, Sessions
from harvest_source.concurrency import in_parallel
from harvest_source.config.effective import DEFAULT, OPTION, Setting
from harvest_source.config.parse import parse_tables
from harvest_source.decode.coerce import loads
from harvest_source.defaults import DATASET, DUCKDB, PIPELINE
from harvest_source.errors import ForbiddenError, HarvestError, ResponseError, counted
from harvest_source.exit_codes import ExitCode, choose_exit_code
from harvest_source.extract.visibility import explain_off
from harvest_source.load.settings import Hooks, RunArguments
from harvest_source.notices import Notice, NoticeKind
from harvest_source.operations.run import open_run
from harvest_source.schema.endpoint import Endpoint, Parent
from harvest_source.schema.endpoints import BY_NAME
from harvest_source.warehouse.misfits import describe_misfits
from harvest_source.warehouse.settings_checks import check_settings
from harvest_source.warehouse.target import Target, build_target
from harvest_source.warehouse.trial import try_destination
from harvest_source.warehouse.warehouse import Warehouse

MODULES: Final = ("expense_feature", "invoice_feature", "estimate_feature", "approval_feature")

_AT_ONCE: Final = 8
"""Tables that are requested from Harvest in parallel."""

_SUBJECTS: Final[Mapping[NoticeKind, tuple[str, str]]] = {
    NoticeKind.CLOCK: ("clock", "skew"),
    NoticeKind.MISSING_DATE: ("clock", "date"),
    NoticeKind.ALLOWANCE: ("limit", "shared"),
    NoticeKind.SIGN_IN: ("credentials", "vault"),
    NoticeKind.RENEWAL: ("credentials", "renewal"),
    NoticeKind.OTHER: ("run", "other"),
}
"""Subject and name of the finding that a notice becomes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the check."""

    subject: str
    """
    ``credentials``, ``account``, ``role``, ``module``, ``limit``, ``table`` or ``destination``; a
    notice may also be of ``clock`` or ``run``.
    """
    name: str
    state: str
    """``ok``, ``warning``, ``skipped`` or ``error``."""
    detail: str
    error: HarvestError | None = None

    def as_dict(self) -> dict[str, str]:
        """The object of ``--json``."""
        return {
            "subject": self.subject,
            "name": self.name,
            "state": self.state,
            "detail": self.detail,
        }


@dataclass(frozen=True, slots=True)
class CheckReport:
    """All findings, in the order they were made."""

    findings: tuple[Finding, ...]
    settings: tuple[Setting, ...] = ()
    """The settings in effect, and where each came from."""

    @property
    def exit_code(self) -> ExitCode:
        """0, or the gravest of the errors' codes."""
        codes = {finding.error.exit_code for finding in self.findings if finding.error}
        return choose_exit_code(codes)

    def as_dict(self) -> dict[str, Any]:
        """The object of ``--json``."""
        return {
            "status": "ok" if self.exit_code == 0 else "error",
            "findings": [finding.as_dict() for finding in self.findings],
            "settings": [each.as_dict() for each in self.settings],
        }


def check(
    *,
    destination: str = DUCKDB,
    database: str | Path | None = None,
    dataset: str = DATASET,
    pipeline: str = PIPELINE,
    account: int | Iterable[int | str] = (),
    settings: Mapping[str, Any] | None = None,
    hooks: Hooks | None = None,
) -> CheckReport:
    """
    Ask Harvest for one row of every table, and check whether the destination can be opened.

    Writes nothing into the dataset, and exchanges no refresh token: the new one would have to be
    written. A destination other than a DuckDB file is tested with a dataset of its own, which is
    removed afterwards.

    Raises:
        ConfigError: A setting or an argument cannot work. Nothing was sent.
    """
    target = build_target(destination, database, dataset, pipeline)
    arguments = RunArguments(settings, account, may_exchange=False, lists_settings=True)
    run = open_run(target, arguments, hooks)
    target, connection = run.target, run.settings.connection
    findings: list[Finding] = []
    with run.sessions.in_use():
        findings += _check_accounts(run.sessions, connection.token_source)
    findings.append(_describe_limit(connection.rate_limit))
    findings += map(build_finding, run.run_log.notices)
    findings += (Finding("destination", str(target), "warning", each) for each in target.warnings)
    misfits: list[str] = []
    opened = _try("destination", str(target), partial(_open_destination, target, misfits))
    findings.append(opened)
    findings += (Finding("destination", "numbers", "warning", each) for each in misfits)
    if opened.state != "error":
        findings += _try_values(target)
    return CheckReport(tuple(findings), (*run.settings.in_effect, *_list_target(target, database)))


def _list_target(target: Target, database: str | Path | None) -> Iterable[Setting]:
    """Where the tables go; an option with the default value counts as the default."""
    named = {
        "destination": (target.destination, DUCKDB),
        "dataset": (target.dataset, DATASET),
        "pipeline": (target.pipeline, PIPELINE),
    }
    for name, (value, default) in named.items():
        yield Setting(f"--{name}", value, DEFAULT if value == default else OPTION)
    if target.database is not None:
        source = DEFAULT if database is None else OPTION
        yield Setting("--database", str(target.database), source)


def _describe_limit(rate_limit: int | None) -> Finding:
    limit = f"{rate_limit} requests per 15 s"
    if not rate_limit:
        limit = f"{GENERAL[0]} requests per {GENERAL[1]} s"
    return Finding("limit", "general", "ok", f"asks at most {limit}")


def build_finding(notice: Notice) -> Finding:
    """The finding for a warning of a request or of the sign-in."""
    subject, name = _SUBJECTS[notice.kind]
    return Finding(subject, name, "warning", notice.text)


def _check_accounts(sessions: Sessions, token_source: str) -> Iterable[Finding]:
    try:
        account_ids = sessions.account_ids()
    except HarvestError as error:
        yield _describe_refusal("credentials", token_source or "given", error)
        return
    for account_id in account_ids:
        try:
            session = sessions.open(account_id)
        except HarvestError as error:
            yield _describe_refusal("account", str(account_id), error)
            continue
        yield Finding("credentials", token_source or "given", "ok", "Harvest accepts the token")
        yield from _check_account(session)


def _describe_refusal(subject: str, name: str, error: HarvestError) -> Finding:
    """The finding for an account that cannot be opened; an untried token is not an error."""
    if isinstance(error, NotExchangedError) and not error.is_refused:
        return Finding("credentials", name, "skipped", str(error))
    return _error(subject, name, error)


def _check_account(session: Session) -> Iterable[Finding]:
    owner, account = session.owner, str(session.account_id)
    yield Finding("account", account, "ok", f"read as {owner.name or owner.user_id}")
    roles = ", ".join(owner.access_roles) or "none"
    if owner.is_administrator:
        yield Finding("role", roles, "ok", "sees everything")
    else:
        detail = (
            "time entries, expenses, projects and users may be partial: Harvest does not say when "
            "it leaves out rows"
        )
        yield Finding("role", roles, "warning", detail)
    yield from _check_modules(session)
    yield from in_parallel(partial(_check_table, session), parse_tables(()), workers=_AT_ONCE)


def _check_modules(session: Session) -> Iterable[Finding]:
    try:
        company = session.client.fetch_object("company")
    except HarvestError as error:
        yield Finding("module", "all", "warning", f"not known: {error}")
        return
    for module in MODULES:
        is_on = company.get(module)
        detail = "on" if is_on else "off" if is_on is False else "not known"
        yield Finding("module", module.removesuffix("_feature"), "ok", detail)


def _check_table(session: Session, endpoint: Endpoint) -> Finding:
    if reason := explain_off(endpoint, session):
        return Finding("table", endpoint.name, "skipped", reason)
    return _try("table", endpoint.name, partial(_describe_rows, session, endpoint))


def _describe_rows(session: Session, endpoint: Endpoint) -> str:
    if endpoint.single:
        session.client.fetch_object(endpoint.list_path)
        return "1 row"
    if endpoint.parent is not None:
        return _describe_child_rows(session, endpoint, endpoint.parent)
    return counted(_count(session, endpoint.list_path, endpoint), "row")


def _describe_child_rows(session: Session, endpoint: Endpoint, parent: Parent) -> str:
    """Count the rows of a list that exists once per parent, for the newest parent."""
    listed = BY_NAME[parent.endpoint]
    page = session.client.fetch_page(listed.list_path, key=listed.envelope_key, per_page=1)
    newest = next(iter(loads(page.rows)), None)
    if newest is None:
        return f"none, because there are no {listed.name}"
    try:
        rows = _count(session, endpoint.list_path.format(parent=newest["id"]), endpoint)
    except ResponseError as error:
        if error.status not in endpoint.absent:
            raise
        rows = 0
    return f"{counted(rows, 'row')} for the newest record in {listed.name}"


def _count(session: Session, path: str, endpoint: Endpoint) -> int:
    return session.client.fetch_count(path, key=endpoint.envelope_key or "")


def _open_destination(target: Target, misfits: list[str]) -> str:
    """Describe the destination; *misfits* gets warnings of numbers that no column can hold."""
    check_settings(target)
    path = target.database
    if path is not None and not path.exists() and os.access(path.parent, os.W_OK):
        return "does not exist yet; the first sync creates it"
    warehouse = Warehouse(target, wait_s=0)
    warehouse.check_owner(parse_tables(()))
    misfits += describe_misfits(warehouse)
    return "can be opened"


def _try_values(target: Target) -> Iterator[Finding]:
    """Test a destination other than a DuckDB file with a table of its own."""
    if target.database is not None:
        return
    try:
        losses = try_destination(target)
    except HarvestError as error:
        yield _error("destination", "trial", error)
        return
    for loss in losses:
        yield Finding("destination", "values", "warning", loss)
    if not losses:
        detail = "a table was loaded, merged, read, changed and removed; every value came back"
        yield Finding("destination", "trial", "ok", detail)


def _try(subject: str, name: str, describe: Callable[[], str]) -> Finding:
    """The finding with the text of *describe*, or with its error."""
    try:
        return Finding(subject, name, "ok", describe())
    except ForbiddenError as error:
        return Finding(subject, name, "skipped", str(error))
    except HarvestError as error:
        return _error(subject, name, error)


def _error(subject: str, name: str, error: HarvestError) -> Finding:
    return Finding(subject, name, "error", str(error), error)
