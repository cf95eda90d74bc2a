-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('deleted_records') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'table_name', 'text') }},
  {{ harvest_source.column(found, 'parent_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint') }},
  {{ harvest_source.column(found, 'detected_at', 'timestamp') }},
  {{ harvest_source.column(found, 'restored_at', 'timestamp') }},
  {{ harvest_source.column(found, 'record', 'json') }}
from {{ harvest_source.table_rows('deleted_records', found) }}
