"""A small warehouse made by hand, and statements for it: attacks and ordinary questions."""

from __future__ import annotations

import contextlib
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import duckdb

from harvest_source.ask.exchange import Request
from harvest_source.ask.locked_connection import open_locked
from harvest_source.ask.statement_guard import StatementRefused
from harvest_source.ask.worker import run

SCHEMAS: Final = ("harvest", "harvest_models", "main")
SYNTAX: Final = (
    "ParserException",
    "InvalidInputException",
    "NotImplementedException",
    "PermissionException",
)
"""How DuckDB's parsers, from 1.4.5 to 2.0.1, refuse invalid statements or reading files."""


@dataclass(frozen=True)
class Faults:
    """Statements with an unexpected result, and the answer to each."""

    not_refused: dict[str, str]
    not_answered: dict[str, str]
    is_changed: bool
    """Whether the file, or the files beside it, changed."""


def find_faults(folder: Path) -> Faults:
    """Run all of :data:`REACHING_OUT` and :data:`ORDINARY` on a warehouse in *folder*."""
    (folder / "secret.txt").write_text(SECRET)
    warehouse = make_warehouse(folder / "warehouse.duckdb")
    before = read_state(warehouse)
    paths = {"secret": folder / "secret.txt", "warehouse": warehouse, "folder": folder}
    not_refused, not_answered = {}, {}
    with open_locked(warehouse, SCHEMAS, memory_mb=200, threads=1) as connection:
        for statement in REACHING_OUT:
            said = _ask(connection, statement.format(**paths))
            if not said.startswith(("StatementRefused", *SYNTAX)) or SECRET in said:
                not_refused[statement] = said
        for statement in ORDINARY:
            if said := _ask(connection, statement):
                not_answered[statement] = said
    return Faults(not_refused, not_answered, read_state(warehouse) != before)


SECRET: Final = "the secret"


def _ask(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Why a statement has no answer; empty if it has one."""
    try:
        reply = run(connection, Request("", "harvest", SCHEMAS, sql=sql))
    except (StatementRefused, duckdb.Error) as error:
        return f"{type(error).__name__}: {error}"
    return "The secret was read." if SECRET in str(reply) else ""


def read_state(warehouse: Path) -> tuple[str, list[str]]:
    """The digest of the file, and the names of the files beside it."""
    names = sorted(each.name for each in warehouse.parent.iterdir())
    return hashlib.sha256(warehouse.read_bytes()).hexdigest(), names


def find_workers() -> set[int]:
    """The workers that this process started and that still run."""
    found = set()
    for listed in Path("/proc/self/task").glob("*/children"):
        for pid in listed.read_text().split():
            with contextlib.suppress(OSError):
                if b"harvest_source.ask.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    found.add(int(pid))
    return found


def make_warehouse(path: Path) -> Path:
    """A file with a few tables, a view and a user's macro, made without a sync."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA harvest")
        connection.execute("CREATE SCHEMA harvest_models")
        connection.execute("SET TimeZone = 'UTC'")
        for statement in _TABLES:
            connection.execute(statement)
    return path


_TABLES: Final = (
    """CREATE TABLE harvest.time_entries AS SELECT 1000001 AS account_id, range AS id,
       DATE '2026-01-01' + CAST(range AS INTEGER) AS spent_date, range % 3 AS user__id,
       ['Ann', 'Bo', 'Cy'][range % 3 + 1] AS user__name, range % 2 AS project__id,
       'Project ' || range % 2 AS project__name, range % 4 AS task__id, 'Task' AS task__name,
       range % 5 AS client__id, 'Client ' || range % 5 AS client__name,
       ['EUR', 'USD'][range % 5 % 2 + 1] AS client__currency,
       CAST(range % 8 + 0.25 AS DECIMAL(38, 9)) AS hours,
       CAST(range % 8 + 0.5 AS DECIMAL(38, 9)) AS rounded_hours, range % 3 > 0 AS billable,
       CAST(CASE WHEN range % 7 > 0 THEN 100 END AS DECIMAL(38, 9)) AS billable_rate,
       CAST(NULL AS VARCHAR) AS external,
       false AS is_billed, CASE WHEN range % 2 = 0 THEN 'a note' END AS notes,
       TIMESTAMPTZ '2026-02-01 10:00:00+00' AS updated_at, '1769940000.5' AS _dlt_load_id
       FROM range(40)""",
    """CREATE TABLE harvest.clients AS SELECT 1000001 AS account_id, range AS id,
       'Client ' || range AS name, range % 2 = 0 AS is_active,
       ['EUR', 'USD'][range % 2 + 1] AS currency FROM range(5)""",
    """CREATE TABLE harvest.invoices AS SELECT 1000001 AS account_id, range AS id,
       CAST(range * 100 AS DECIMAL(38, 9)) AS amount, CAST(range AS DECIMAL(38, 9)) AS due_amount,
       DATE '2026-01-31' AS issue_date, 'open' AS state, range AS client__id FROM range(6)""",
    "CREATE VIEW harvest_models.harvest__clients AS SELECT * FROM harvest.clients",
    "CREATE MACRO harvest.salary(x) AS (SELECT MAX(hours) FROM harvest.time_entries WHERE id = x)",
    "CREATE MACRO main.upper(x) AS lower(x)",
)


MODELS_OF_ENTRIES: Final = (
    """CREATE TABLE harvest.sync_runs AS SELECT TIMESTAMPTZ '2026-02-01 10:00:00+00' AS started_at,
       TIMESTAMPTZ '2026-02-01 10:01:00+00' AS ended_at, 'ok' AS status, 5 AS requests,
       '{"time_entries": {"accounts": {"1000001": {"rows": 40}}}}' AS tables, '[]' AS errors,
       '1769940000.5' AS _dlt_load_id""",
    """CREATE TABLE harvest_models.harvest__sync_health AS
       SELECT CAST(started_at AS TIMESTAMP) AS started_at FROM harvest.sync_runs""",
    """CREATE TABLE harvest_models.harvest__time_entries AS SELECT account_id, id AS time_entry_id,
       spent_date, user__id AS user_id, user__name AS person_name, client__id AS client_id,
       client__name AS client_name, project__id AS project_id, project__name AS project_name,
       task__id AS task_id, task__name AS task_name, client__currency AS currency,
       CAST(hours AS DECIMAL(18, 4)) AS hours, CAST(rounded_hours AS DECIMAL(18, 4))
       AS rounded_hours, billable AS is_billable, false AS is_fixed_fee, is_billed,
       CAST(billable_rate AS DECIMAL(18, 4)) AS billable_rate, notes,
       CAST(updated_at AS TIMESTAMP) AS updated_at FROM harvest.time_entries""",
)
"""A recorded sync, and the models of time entries that were built after it."""


REACHING_OUT: Final = (
    # Files, through every way that DuckDB has.
    "SELECT * FROM read_csv('{secret}')",
    "SELECT * FROM read_csv_auto('{secret}')",
    "SELECT * FROM read_text('{secret}')",
    "SELECT * FROM read_blob('{secret}')",
    "SELECT * FROM read_blob('{warehouse}')",
    "SELECT * FROM read_json('{secret}')",
    "SELECT * FROM read_json_auto('{secret}')",
    "SELECT * FROM read_ndjson('{secret}')",
    "SELECT * FROM read_json_objects('{secret}')",
    "SELECT * FROM read_parquet('{secret}')",
    "SELECT * FROM parquet_scan('{secret}')",
    "SELECT * FROM parquet_metadata('{secret}')",
    "SELECT * FROM parquet_schema('{secret}')",
    "SELECT * FROM read_duckdb('{warehouse}')",
    "SELECT * FROM sniff_csv('{secret}')",
    "SELECT * FROM glob('/*')",
    "SELECT * FROM '{secret}'",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'https://example.com/x.csv'",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "WITH t AS (SELECT * FROM read_text('{secret}')) SELECT * FROM t",
    "SELECT (SELECT content FROM read_text('{secret}'))",
    "SELECT * FROM clients WHERE name IN (SELECT content FROM read_text('{secret}'))",
    "SELECT * FROM clients JOIN read_text('{secret}') ON true",
    "SELECT * FROM clients, LATERAL (SELECT * FROM read_text('{secret}'))",
    "SELECT 1 UNION ALL SELECT size FROM read_text('{secret}')",
    "SELECT list_transform([1], x -> (SELECT content FROM read_text('{secret}')))",
    "SELECT * FROM clients ORDER BY (SELECT size FROM read_text('{secret}'))",
    "SELECT * FROM clients LIMIT (SELECT size FROM read_text('{secret}'))",
    "SELECT SUM(id) FILTER (id > (SELECT size FROM read_text('{secret}'))) FROM clients",
    "SELECT SUM(id) OVER (ORDER BY (SELECT size FROM read_text('{secret}'))) FROM clients",
    "DESCRIBE SELECT * FROM read_text('{secret}')",
    "SUMMARIZE SELECT * FROM read_text('{secret}')",
    "FROM read_text('{secret}')",
    "VALUES ((SELECT size FROM read_text('{secret}')))",
    # Writing.
    "COPY (SELECT 1) TO '{warehouse}' (USE_TMP_FILE false)",
    "COPY clients TO '{folder}/out.csv'",
    "COPY clients FROM '{secret}'",
    "EXPORT DATABASE '{folder}/out'",
    "IMPORT DATABASE '{folder}'",
    "INSERT INTO clients SELECT * FROM clients",
    "UPDATE clients SET name = 'x'",
    "DELETE FROM clients",
    "DROP TABLE clients",
    "CREATE TABLE x AS SELECT 1",
    "CREATE TEMP TABLE x AS SELECT 1",
    "CREATE VIEW x AS SELECT 1",
    "CREATE MACRO m() AS 1",
    "ALTER TABLE clients ADD COLUMN x INTEGER",
    "MERGE INTO clients USING clients AS c ON false WHEN MATCHED THEN DELETE",
    "VACUUM",
    "CHECKPOINT",
    "FORCE CHECKPOINT",
    "BEGIN; DELETE FROM clients; COMMIT",
    "WITH x AS (DELETE FROM clients RETURNING *) SELECT * FROM x",
    # Settings, extensions, secrets, other databases.
    "ATTACH '{folder}/other.duckdb'",
    "ATTACH '{warehouse}' AS again",
    "DETACH warehouse",
    "USE main",
    "SET memory_limit = '100GB'",
    "SET enable_external_access = true",
    "SET disabled_filesystems = ''",
    "RESET lock_configuration",
    "PRAGMA database_list",
    "PRAGMA enable_profiling",
    "INSTALL httpfs",
    "LOAD httpfs",
    "INSTALL shellfs FROM community",
    "CREATE SECRET s (TYPE s3)",
    "SELECT * FROM duckdb_secrets()",
    "SELECT * FROM duckdb_settings()",
    "SELECT current_setting('secret_directory')",
    "SELECT getvariable('x')",
    "SET VARIABLE x = 1",
    "SELECT * FROM duckdb_logs()",
    "CALL enable_logging()",
    "SELECT write_log('x')",
    "SELECT * FROM duckdb_functions()",
    "SELECT * FROM duckdb_tables()",
    "SELECT * FROM pragma_table_info('clients')",
    "SELECT * FROM pragma_storage_info('clients')",
    "SELECT * FROM pragma_database_size()",
    # Text as SQL, and ways to hide a name.
    "SELECT * FROM query('SELECT 1')",
    "SELECT * FROM query_table('clients')",
    "SELECT * FROM json_execute_serialized_sql('{{}}')",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT $1",
    "SELECT ?",
    "SELECT 1; SELECT 2",
    "SELECT 1; COPY clients TO '{folder}/out.csv'",
    "",
    ";",
    "-- nothing",
    "SELECT * FROM system.information_schema.tables",
    "SELECT * FROM information_schema.tables",
    "SELECT * FROM pg_catalog.pg_class",
    "SELECT * FROM sqlite_master",
    "SELECT * FROM temp.clients",
    "SHOW TABLES",
    "SHOW ALL TABLES",
    "SHOW DATABASES",
    "WITH pg_class AS (SELECT * FROM pg_class) SELECT * FROM pg_class",
    "SELECT * FROM (WITH c AS (SELECT 1) SELECT * FROM c), pg_class",
    "WITH RECURSIVE duckdb_tables AS (SELECT * FROM duckdb_tables UNION ALL "
    "SELECT * FROM duckdb_tables WHERE false) SELECT * FROM duckdb_tables",
    "WITH RECURSIVE pg_class AS (WITH q AS (SELECT relname FROM pg_class) SELECT * FROM q "
    "UNION ALL SELECT relname FROM pg_class WHERE false) SELECT * FROM pg_class",
    'WITH "duc\u212adb_tables" AS (SELECT 1) SELECT * FROM duckdb_tables',
    # Waiting, and other users' macros.
    "SELECT sleep_ms(60000)",
    "SELECT pg_sleep(60)",
    "SELECT salary(1)",
    "SELECT harvest.salary(1)",
    "SELECT upper('A')",
    "SELECT error(name) FROM clients",
    "SELECT nextval('s')",
    "SELECT current_query()",
    "SELECT * FROM test_all_types()",
    "SELECT * FROM repeat('x', 1000000000)",
    "SELECT * FROM summary((SELECT 1))",
    "SELECT system.main.sleep_ms(1)",
    "SELECT * FROM seq_scan('clients')",
    "SELECT * FROM python_map_function()",
    "SELECT * FROM arrow_scan(1, 2, 3)",
    "SELECT * FROM clients AT (VERSION => 1)",
)
"""Each must be refused. ``{secret}``, ``{warehouse}`` and ``{folder}`` stand for paths."""

TOO_MUCH: Final = (
    "SELECT COUNT(*) FROM range(1000000000000)",
    "SELECT list_resize([1], 10000000000)",
    "SELECT LENGTH(repeat('x', 4000000000))",
    "WITH RECURSIVE r AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM r) SELECT COUNT(*) FROM r",
    "SELECT COUNT(*) FROM range(100000) a, range(100000) b, range(100000) c",
    "SELECT list(a.range) FROM range(100000000) a",
    "SELECT " + "(" * 5000 + "1" + ")" * 5000,
    "SELECT '" + "x" * 21_000 + "'",
)
"""Each is refused, fails or is stopped: too long, too large, endless."""

ORDINARY: Final = (
    "SELECT 1",
    "SELECT * FROM time_entries",
    "SELECT * FROM harvest.time_entries LIMIT 5",
    "SELECT * FROM warehouse.harvest.time_entries LIMIT 5",
    'SELECT "id", "hours" FROM "harvest"."time_entries"',
    "FROM clients",
    "TABLE clients",
    "VALUES (1, 'a'), (2, 'b')",
    "SELECT * FROM (VALUES (1, 'a')) AS t(id, name)",
    "SELECT COUNT(*) FROM time_entries",
    "SELECT COUNT(DISTINCT user__id), SUM(hours), AVG(hours), MIN(hours), MAX(hours) "
    "FROM time_entries",
    "SELECT user__name, SUM(hours) FROM time_entries GROUP BY user__name ORDER BY 2 DESC",
    "SELECT user__name, SUM(hours) AS h FROM time_entries GROUP BY ALL HAVING h > 1 ORDER BY ALL",
    "SELECT date_trunc('month', spent_date) AS month, SUM(hours) FROM time_entries GROUP BY 1",
    "SELECT EXTRACT(year FROM spent_date), SUM(hours) FROM time_entries GROUP BY 1",
    "SELECT year(spent_date), month(spent_date), week(spent_date) FROM time_entries",
    "SELECT strftime(spent_date, '%Y-%m') AS month, COUNT(*) FROM time_entries GROUP BY month",
    "SELECT dayname(spent_date), monthname(spent_date), isodow(spent_date) FROM time_entries",
    "SELECT * FROM time_entries WHERE spent_date BETWEEN '2026-01-01' AND '2026-01-31'",
    "SELECT * FROM time_entries WHERE spent_date >= DATE '2026-01-01' - INTERVAL 1 MONTH",
    "SELECT * FROM time_entries WHERE spent_date > current_date - 30",
    "SELECT current_date, now(), current_timestamp, today()",
    "SELECT updated_at AT TIME ZONE 'Europe/Berlin' FROM time_entries LIMIT 1",
    "SELECT date_diff('day', issue_date, DATE '2026-03-01') AS age FROM invoices",
    "SELECT datediff('month', issue_date, current_date), last_day(issue_date) FROM invoices",
    "SELECT CASE WHEN due_amount > 0 THEN 'open' ELSE 'paid' END AS s, COUNT(*) FROM invoices "
    "GROUP BY s",
    "SELECT COUNT(*) FILTER (WHERE billable) * 1.0 / COUNT(*) FROM time_entries",
    "SELECT SUM(CASE WHEN billable THEN hours END) / NULLIF(SUM(hours), 0) FROM time_entries",
    "SELECT SUM(IF(billable, hours, 0)) FROM time_entries",
    "SELECT COALESCE(notes, ''), IFNULL(notes, '-') FROM time_entries",
    "SELECT * FROM time_entries WHERE notes IS NOT NULL AND notes <> ''",
    "SELECT * FROM time_entries WHERE notes LIKE '%note%' OR notes ILIKE 'A%'",
    "SELECT * FROM time_entries WHERE notes SIMILAR TO 'a.*'",
    "SELECT * FROM time_entries WHERE regexp_matches(notes, '^a')",
    "SELECT * FROM time_entries WHERE user__name IN ('Ann', 'Bo') AND NOT is_billed",
    "SELECT * FROM time_entries WHERE client__id NOT IN (SELECT id FROM clients WHERE is_active)",
    "SELECT * FROM clients c WHERE EXISTS (SELECT 1 FROM invoices i WHERE i.client__id = c.id)",
    "SELECT c.name, SUM(t.hours) FROM time_entries t JOIN clients c ON c.id = t.client__id "
    "GROUP BY c.name",
    "SELECT c.name, i.id FROM clients c LEFT JOIN invoices i ON i.client__id = c.id",
    "SELECT * FROM clients c FULL OUTER JOIN invoices i ON i.client__id = c.id",
    "SELECT * FROM clients CROSS JOIN (SELECT 1 AS one)",
    "SELECT * FROM clients JOIN invoices USING (account_id)",
    "SELECT * FROM clients NATURAL JOIN (SELECT 1 AS id)",
    "SELECT * FROM clients c SEMI JOIN invoices i ON i.client__id = c.id",
    "SELECT * FROM clients c ANTI JOIN invoices i ON i.client__id = c.id",
    "SELECT * FROM time_entries t ASOF JOIN invoices i ON t.spent_date >= i.issue_date",
    "SELECT * FROM clients c, LATERAL (SELECT COUNT(*) FROM invoices i WHERE i.client__id = c.id)",
    "WITH m AS (SELECT user__id, SUM(hours) h FROM time_entries GROUP BY 1) SELECT AVG(h) FROM m",
    "WITH a AS (SELECT 1 AS x), b AS (SELECT x + 1 AS y FROM a) SELECT * FROM a, b",
    "WITH RECURSIVE d(day) AS (SELECT DATE '2026-01-01' UNION ALL SELECT CAST(day + INTERVAL 1 DAY "
    "AS DATE) FROM d WHERE day < DATE '2026-01-10') SELECT * FROM d",
    "SELECT range AS n FROM range(10)",
    "SELECT * FROM generate_series(DATE '2026-01-01', DATE '2026-01-10', INTERVAL 1 DAY)",
    "SELECT unnest([1, 2, 3])",
    "SELECT * FROM unnest(['a', 'b'])",
    "SELECT user__name, spent_date, SUM(hours) OVER (PARTITION BY user__id ORDER BY spent_date) "
    "FROM time_entries",
    "SELECT *, row_number() OVER (PARTITION BY user__id ORDER BY hours DESC) AS n "
    "FROM time_entries QUALIFY n <= 3",
    "SELECT user__name, rank() OVER (ORDER BY SUM(hours) DESC) FROM time_entries GROUP BY 1",
    "SELECT spent_date, AVG(hours) OVER (ORDER BY spent_date ROWS BETWEEN 6 PRECEDING AND CURRENT "
    "ROW) FROM time_entries",
    "SELECT hours - lag(hours) OVER (ORDER BY id) AS change, lead(hours) OVER (ORDER BY id) "
    "FROM time_entries",
    "SELECT first_value(hours) OVER w, last_value(hours) OVER w FROM time_entries WINDOW w AS "
    "(PARTITION BY user__id ORDER BY id)",
    "SELECT ntile(4) OVER (ORDER BY hours), percent_rank() OVER (ORDER BY hours) FROM time_entries",
    "SELECT median(hours), quantile_cont(hours, 0.9), mode(user__name) FROM time_entries",
    "SELECT stddev(hours), var_pop(hours), corr(hours, rounded_hours) FROM time_entries",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY hours) FROM time_entries",
    "SELECT string_agg(DISTINCT user__name, ', ' ORDER BY user__name) FROM time_entries",
    "SELECT list(DISTINCT user__name), array_agg(id ORDER BY id) FROM time_entries",
    "SELECT arg_max(user__name, hours), max_by(user__name, hours) FROM time_entries",
    "SELECT any_value(client__name), bool_or(billable), count_if(billable) FROM time_entries",
    "SELECT user__name, project__name, SUM(hours) FROM time_entries GROUP BY ROLLUP (1, 2)",
    "SELECT user__name, project__name, SUM(hours), GROUPING(user__name) FROM time_entries "
    "GROUP BY CUBE (user__name, project__name)",
    "SELECT user__name, SUM(hours) FROM time_entries GROUP BY GROUPING SETS ((user__name), ())",
    "PIVOT time_entries ON user__name IN ('Ann', 'Bo') USING SUM(hours) GROUP BY project__name",
    "SELECT * FROM (SELECT user__name, hours FROM time_entries) PIVOT (SUM(hours) FOR user__name "
    "IN ('Ann', 'Bo'))",
    "UNPIVOT (SELECT hours, rounded_hours FROM time_entries) ON hours, rounded_hours",
    "SELECT id FROM clients UNION SELECT id FROM invoices",
    "SELECT id FROM clients UNION ALL BY NAME SELECT id, amount FROM invoices",
    "SELECT id FROM clients EXCEPT SELECT id FROM invoices",
    "SELECT id FROM clients INTERSECT SELECT id FROM invoices",
    "SELECT DISTINCT user__name FROM time_entries",
    "SELECT DISTINCT ON (user__id) * FROM time_entries ORDER BY user__id, spent_date DESC",
    "SELECT * EXCLUDE (notes) FROM time_entries",
    "SELECT * REPLACE (round(hours, 2) AS hours) FROM time_entries",
    "SELECT COLUMNS('.*_date') FROM time_entries",
    "SELECT t.* FROM time_entries t ORDER BY t.hours DESC NULLS LAST LIMIT 10 OFFSET 5",
    "SELECT * FROM time_entries ORDER BY id LIMIT 10%",
    "SELECT * FROM time_entries USING SAMPLE 10",
    "SELECT round(amount, 2), floor(amount), ceil(amount), abs(amount), amount % 7 FROM invoices",
    "SELECT CAST(amount AS DECIMAL(18, 2)), amount::DOUBLE, TRY_CAST('x' AS INTEGER) FROM invoices",
    "SELECT greatest(1, 2), least(1, 2), sign(-1), sqrt(4), power(2, 3), ln(2)",
    "SELECT lower(name), length(name), left(name, 3), substr(name, 2), trim(name) FROM clients",
    "SELECT name || ' (' || currency || ')', concat(name, '-', id), replace(name, 'C', 'K') "
    "FROM clients",
    "SELECT split_part(name, ' ', 1), string_split(name, ' ')[1], starts_with(name, 'C') "
    "FROM clients",
    "SELECT printf('%.2f', CAST(amount AS DOUBLE)), format('{:,}', CAST(amount AS BIGINT)) "
    "FROM invoices",
    "SELECT [1, 2, 3][1], [x * 2 FOR x IN [1, 2] IF x > 1], list_sum([1, 2])",
    "SELECT list_transform([1, 2], lambda x: x + 1), list_filter([1, 2], lambda x: x > 1)",
    "SELECT {'a': 1, 'b': 'x'}.a, struct_pack(a := 1), MAP {'k': 1}['k']",
    "SELECT json_extract_string('{\"a\": 1}', '$.a'), '{\"a\": 1}'::JSON ->> 'a'",
    "SELECT make_date(2026, 1, 31), strptime('2026-01-31', '%Y-%m-%d'), epoch(now())",
    "SELECT time_bucket(INTERVAL '2 weeks', spent_date), SUM(hours) FROM time_entries GROUP BY 1",
    "SELECT (SELECT MAX(hours) FROM time_entries) - hours FROM time_entries",
    "SELECT hours > ALL (SELECT 1), hours = ANY (SELECT 2) FROM time_entries",
    "SELECT name COLLATE NOCASE FROM clients ORDER BY name COLLATE NOCASE",
    "SELECT typeof(id), hash(id), md5(name) FROM clients LIMIT 1",
    "DESCRIBE time_entries",
    "SUMMARIZE clients",
    "DESCRIBE SELECT 1 AS one",
    "SELECT * FROM harvest__clients",
    "SELECT * FROM harvest_models.harvest__clients",
    "SELECT /* a comment */ 1 -- and another",
    "SELECT 1;",
    "SELECT TRY(1 / 0), 7 // 2, 2 ** 3, 5 & 3, ~1",
    "SELECT #1 FROM clients",
    "SELECT DATE '2026-01-01' + INTERVAL (id) DAY FROM clients",
    "SELECT position('l' IN name), overlay FROM (SELECT name, 1 AS overlay FROM clients)",
)
"""What analysts ask; each must run."""
