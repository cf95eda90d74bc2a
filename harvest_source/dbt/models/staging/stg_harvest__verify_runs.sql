-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('verify_runs') %}

select
  {{ harvest_source.column(found, 'id', 'text', 'verify_run_id') }},
  {{ harvest_source.column(found, 'started_at', 'timestamp') }},
  {{ harvest_source.column(found, 'ended_at', 'timestamp') }},
  {{ harvest_source.column(found, 'status', 'text') }},
  {{ harvest_source.column(found, 'account_ids', 'text') }},
  {{ harvest_source.column(found, 'compared', 'bigint') }},
  {{ harvest_source.column(found, 'differing', 'bigint') }},
  {{ harvest_source.column(found, 'not_told', 'bigint') }},
  {{ harvest_source.column(found, 'checks', 'json') }},
  {{ harvest_source.column(found, 'differences', 'json') }},
  {{ harvest_source.column(found, 'errors', 'json') }},
  {{ harvest_source.column(found, 'mended', 'bool') }},
  {{ harvest_source.column(found, 'requests', 'bigint') }},
  {{ harvest_source.column(found, 'version', 'text') }}
from {{ harvest_source.table_rows('verify_runs', found) }}
