"""
Texts of more than 64 kB in MySQL and MariaDB, whose type ``TEXT`` ends there.

dlt stores a schema as one text. That of all of Harvest's tables has about 80 kB, so without these
functions no load of all tables is possible.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import dlt
from dlt.destinations.job_client_impl import SqlJobClientBase

from harvest_source.dlt_internals.stored_schemas import DltNames
from harvest_source.sql.maintenance import widen_mysql_text

_NAMES: Final = ("mysql", "mariadb")
_LENGTH: Final = 2**32 - 1
"""Bytes: both databases make ``TEXT`` with a length the shortest type that holds it."""


def use_long_texts(destination: Any) -> None:
    """
    Let dlt create columns for texts as ``LONGTEXT`` in MySQL and MariaDB.

    Args:
        destination: Nothing is done unless it is dlt's destination ``sqlalchemy``.

    ``register_dialect_capabilities`` is documented, its module is not. Without it: create dlt's
    tables with our own statements.
    """
    if not isinstance(destination, dlt.destinations.sqlalchemy):
        return
    with suppress(ImportError):  # dlt says what to install.
        from dlt.destinations.impl.sqlalchemy import dialect

        for name in _NAMES:
            dialect.register_dialect_capabilities(name, _build_capabilities())


def _build_capabilities() -> Any:
    from dlt.destinations.impl.sqlalchemy.dialect import MysqlDialectCapabilities
    from dlt.destinations.impl.sqlalchemy.type_mapper import MysqlVariantTypeMapper

    class LongTexts(MysqlVariantTypeMapper):
        """dlt's types, except for texts without a limit."""

        def db_type_from_text_type(self, column: Any, table: Any) -> Any:
            found: Any = super().db_type_from_text_type(column, table)
            is_text = found.__visit_name__ == "text"
            return type(found)(length=_LENGTH) if is_text else found

    class Capabilities(MysqlDialectCapabilities):
        """dlt's capabilities with these types."""

        def type_mapper_class(self) -> Any:
            return LongTexts

    return Capabilities


def widen_dlt_texts(client: Any) -> None:
    """
    Make short texts in dlt's own tables long, in MySQL and MariaDB: earlier versions of this
    package, and plain dlt, created them as ``TEXT``. Call it before other methods of *client*.

    Without ``reflect_table``: query ``information_schema.columns``.
    """
    if not isinstance(client, SqlJobClientBase):
        return
    sql_client: Any = client.sql_client
    if getattr(getattr(sql_client, "dialect", None), "name", None) not in _NAMES:
        return
    names, schema = DltNames(client), client.schema
    for table in (schema.version_table_name, schema.state_table_name):
        for column, is_nullable in _iter_short(sql_client, table):
            sql_client.execute_sql(widen_mysql_text(names, table, column, is_nullable=is_nullable))


def _iter_short(sql_client: Any, table: str) -> Iterator[tuple[str, bool]]:
    """Yield the columns of *table* that are ``TEXT``, and whether they may be null."""
    found = sql_client.reflect_table(table, type(sql_client.metadata)())
    for column in () if found is None else found.columns:
        if column.type.__visit_name__ == "TEXT":
            yield column.name, bool(column.nullable)
