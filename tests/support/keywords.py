"""Words that PostgreSQL reserves: a table or column cannot have such a name without quotes."""

from __future__ import annotations

from typing import Final

_WORDS: Final = """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast
    check collate collation column concurrently constraint create cross current_catalog
    current_date current_role current_schema current_time current_timestamp current_user default
    deferrable desc distinct do else end except false fetch for foreign freeze from full grant
    group having ilike in initially inner intersect into is isnull join lateral leading left
    like limit localtime localtimestamp natural not notnull null offset on only or order outer
    overlaps placing primary references returning right select session_user similar some
    symmetric system_user table tablesample then to trailing true union unique user using
    variadic verbose when where window with
"""
POSTGRES_RESERVED: Final = frozenset(_WORDS.split())
"""
Of PostgreSQL 18, categories R and T of ``pg_get_keywords()``.

``tests/integration/test_postgres.py`` compares it with the server there.
"""
