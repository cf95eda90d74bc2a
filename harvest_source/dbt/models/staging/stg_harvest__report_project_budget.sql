-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='report_project_budget' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('report_project_budget') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'snapshot_date', 'date') }},
  {{ harvest_source.column(found, 'client_id', 'bigint') }},
  {{ harvest_source.column(found, 'client_name', 'text') }},
  {{ harvest_source.column(found, 'project_id', 'bigint') }},
  {{ harvest_source.column(found, 'project_name', 'text') }},
  {{ harvest_source.column(found, 'budget_is_monthly', 'bool') }},
  {{ harvest_source.column(found, 'budget_by', 'text') }},
  {{ harvest_source.column(found, 'is_active', 'bool') }},
  {{ harvest_source.column(found, 'budget', 'decimal') }},
  {{ harvest_source.column(found, 'budget_spent', 'decimal') }},
  {{ harvest_source.column(found, 'budget_remaining', 'decimal') }}
from {{ harvest_source.table_rows('report_project_budget', found) }}
