-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='report_time_clients' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('report_time_clients') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'from_date', 'date') }},
  {{ harvest_source.column(found, 'to_date', 'date') }},
  {{ harvest_source.column(found, 'client_id', 'bigint') }},
  {{ harvest_source.column(found, 'client_name', 'text') }},
  {{ harvest_source.column(found, 'total_hours', 'decimal') }},
  {{ harvest_source.column(found, 'billable_hours', 'decimal') }},
  {{ harvest_source.column(found, 'currency', 'text') }},
  {{ harvest_source.column(found, 'billable_amount', 'decimal', none, places=2) }}
from {{ harvest_source.table_rows('report_time_clients', found) }}
