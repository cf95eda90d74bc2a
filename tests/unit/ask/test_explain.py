"""Explanations of failed queries, which may go to another machine."""

from __future__ import annotations

from pathlib import Path

import duckdb

from harvest_source.ask.explain import explain_failure


def test_advice_about_models_names_no_path() -> None:
    """A caller over HTTP must not learn where the server keeps its warehouse."""
    error = duckdb.BinderException('Binder Error: Referenced column "new" not found')
    _, said = explain_failure(
        Path("/srv/acme/books.duckdb"), error, "SELECT new FROM harvest__clients"
    )
    assert "harvest-source transform" in said
    assert "acme" not in said
    assert "books" not in said
