"""How dbt reaches the destination, with the credentials that dlt has for it."""

from __future__ import annotations

from dlt.destinations.impl.postgres.configuration import PostgresCredentials

from harvest_source.operations.transform import connect_postgres


def test_certificates_of_postgresql_are_passed_on() -> None:
    """A server that asks for a certificate, or has one of a company's own, accepts dbt as well."""
    options = {
        "sslmode": "verify-full",
        "sslrootcert": "/etc/ca.pem",
        "sslcert": "/etc/me.pem",
        "sslkey": "/etc/me.key",
    }
    address = "postgresql://me:p%40w@db.example.com:6432/warehouse?application_name=x&"
    connection = connect_postgres(
        PostgresCredentials(address + "&".join("=".join(each) for each in options.items()))
    )
    assert connection.password == "p@w"
    assert (
        connection.output.items()
        >= {
            **options,
            "host": "db.example.com",
            "port": 6432,
            "user": "me",
            "dbname": "warehouse",
        }.items()
    )
    assert "application_name" not in connection.output
