-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('sync_runs') %}

select
  {{ harvest_source.column(found, 'id', 'text', 'sync_run_id') }},
  {{ harvest_source.column(found, 'started_at', 'timestamp') }},
  {{ harvest_source.column(found, 'ended_at', 'timestamp') }},
  {{ harvest_source.column(found, 'status', 'text') }},
  {{ harvest_source.column(found, 'account_ids', 'text') }},
  {{ harvest_source.column(found, 'tables', 'json') }},
  {{ harvest_source.column(found, 'errors', 'json') }},
  {{ harvest_source.column(found, 'requests', 'bigint') }},
  {{ harvest_source.column(found, 'version', 'text') }},
  {{ harvest_source.column(found, 'rows_deleted', 'bigint') }},
  {{ harvest_source.column(found, 'rows_lost', 'bigint') }},
  {{ harvest_source.column(found, 'rows_reread', 'bigint') }},
  {{ harvest_source.column(found, 'rows_corrected', 'bigint') }},
  {{ harvest_source.column(found, 'oldest_read_at', 'timestamp') }}
from {{ harvest_source.table_rows('sync_runs', found) }}
