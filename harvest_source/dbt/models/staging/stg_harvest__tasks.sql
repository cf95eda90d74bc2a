-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('tasks') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'task_id') }},
  {{ harvest_source.column(found, 'name', 'text') }},
  {{ harvest_source.column(found, 'billable_by_default', 'bool') }},
  {{ harvest_source.column(found, 'default_hourly_rate', 'decimal') }},
  {{ harvest_source.column(found, 'is_default', 'bool') }},
  {{ harvest_source.column(found, 'is_active', 'bool') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('tasks', found) }}
