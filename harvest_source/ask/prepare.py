"""Turns a request into the one SELECT that answers it, on a connection that can do nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from harvest_source.ask import filtered_copy
from harvest_source.ask.as_of import read_as_of
from harvest_source.ask.catalog import check_dataset, read_catalog, read_relations
from harvest_source.ask.exchange import Request
from harvest_source.ask.filters import Built
from harvest_source.ask.locked_connection import lock
from harvest_source.ask.models import find_schema
from harvest_source.ask.questions import parse_question
from harvest_source.ask.reach import Reach, parse_reach
from harvest_source.ask.row_rules import Source
from harvest_source.ask.statement_guard import (
    Readable,
    Relation,
    StatementRefused,
    check_statement,
)
from harvest_source.warehouse.dataset_name import choose_existing


@dataclass(frozen=True, slots=True)
class Prepared:
    """A SELECT that may be run, and how old its tables are."""

    built: Built
    as_of: str | None


def prepare(connection: Any, request: Request) -> Prepared:
    """
    Check the request and build its SELECT.

    For a limited caller, this also reduces the connection to what the caller may see, and locks it.

    Raises:
        StatementRefused: The request may not be run.
        duckdb.Error: The warehouse cannot be read.
    """
    request = _choose_dataset(connection, request)
    if request.reach is not None:
        return _prepare_limited(connection, request, parse_reach(request.reach))
    relations = frozenset(read_relations(connection, request.dataset))
    check_dataset(request.dataset, {each.schema for each in relations})
    if request.question is None:
        (database,) = connection.execute("SELECT current_database()").fetchone()
        built = _guard(connection, request.sql, database, request.schemas, relations)
    else:
        catalog = read_catalog(connection, request.schemas, request.dataset)
        built = parse_question(request.question).build(catalog)
    return Prepared(built, read_as_of(connection, request.dataset, built.tables))


def _choose_dataset(connection: Any, request: Request) -> Request:
    """The request for the name that the dataset has in the file; dlt may have rewritten it."""
    if not request.rewritten:
        return request
    chosen = choose_existing(connection, request.dataset, request.rewritten)
    other = request.rewritten if chosen == request.dataset else request.dataset
    left_out = {other, find_schema(other)}
    schemas = tuple(each for each in request.schemas if each not in left_out)
    return replace(request, dataset=chosen, schemas=schemas)


def _prepare_limited(connection: Any, request: Request, reach: Reach) -> Prepared:
    whole = read_catalog(connection, request.schemas, request.dataset)
    catalog = reach.restrict(whole, request.dataset)
    if request.question is not None:
        built = parse_question(request.question).build(catalog)
    elif not reach.scope.allows("query"):
        raise StatementRefused("A query may not be run here.")
    else:
        built = _guard(
            connection,
            request.sql,
            filtered_copy.DATABASE,
            catalog.schemas,
            frozenset(catalog.tables),
        )
    as_of = read_as_of(connection, request.dataset, built.tables)
    (database,) = connection.execute("SELECT current_database()").fetchone()
    names = frozenset(each.name for each in whole.tables if each.schema == request.dataset)
    source = Source(database, request.dataset, names)
    filtered_copy.make_copy(connection, catalog, built.tables, reach, source)
    lock(connection)
    return Prepared(built, as_of)


def _guard(
    connection: Any,
    sql: str,
    database: str,
    schemas: tuple[str, ...],
    relations: frozenset[Relation],
) -> Built:
    """Check the caller's statement with DuckDB's own parser, on the connection that will run it."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type.name != "SELECT":
        msg = "Exactly one SELECT is run here. PIVOT needs its values: PIVOT t ON x IN (...)"
        raise StatementRefused(msg)
    (text,) = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchone()
    own = connection.execute(
        "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE NOT internal"
    ).fetchall()
    macros = frozenset(name for (name,) in own)
    readable = Readable(database, schemas, relations, macros)
    read = check_statement(json.loads(text), readable)
    return Built(sql, (), tuple(sorted(read, key=str)))
