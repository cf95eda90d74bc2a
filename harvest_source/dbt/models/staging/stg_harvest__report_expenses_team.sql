-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='report_expenses_team' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('report_expenses_team', 'expenses') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'from_date', 'date') }},
  {{ harvest_source.column(found, 'to_date', 'date') }},
  {{ harvest_source.column(found, 'user_id', 'bigint') }},
  {{ harvest_source.column(found, 'user_name', 'text') }},
  {{ harvest_source.column(found, 'is_contractor', 'bool') }},
  {{ harvest_source.column(found, 'total_amount', 'decimal', none, places=2) }},
  {{ harvest_source.column(found, 'billable_amount', 'decimal', none, places=2) }},
  {{ harvest_source.column(found, 'currency', 'text') }}
from {{ harvest_source.table_rows('report_expenses_team', found) }}
