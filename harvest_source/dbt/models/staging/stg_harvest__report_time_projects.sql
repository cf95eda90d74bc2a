-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='report_time_projects' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('report_time_projects') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'from_date', 'date') }},
  {{ harvest_source.column(found, 'to_date', 'date') }},
  {{ harvest_source.column(found, 'project_id', 'bigint') }},
  {{ harvest_source.column(found, 'project_name', 'text') }},
  {{ harvest_source.column(found, 'client_id', 'bigint') }},
  {{ harvest_source.column(found, 'client_name', 'text') }},
  {{ harvest_source.column(found, 'total_hours', 'decimal') }},
  {{ harvest_source.column(found, 'billable_hours', 'decimal') }},
  {{ harvest_source.column(found, 'currency', 'text') }},
  {{ harvest_source.column(found, 'billable_amount', 'decimal', none, places=2) }},
  {{ harvest_source.column(found, 'scheduled_hours', 'decimal') }}
from {{ harvest_source.table_rows('report_time_projects', found) }}
