-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='my_project_assignments' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('my_project_assignments') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'my_project_assignment_id') }},
    {{ harvest_source.column(found, 'is_active', 'bool') }},
    {{ harvest_source.column(found, 'is_project_manager', 'bool') }},
    {{ harvest_source.column(found, 'use_default_rates', 'bool') }},
    {{ harvest_source.column(found, 'hourly_rate', 'decimal') }},
    {{ harvest_source.column(found, 'budget', 'decimal') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }},
    {{ harvest_source.column(found, 'project__id', 'bigint', 'project_id') }},
    {{ harvest_source.column(found, 'project__name', 'text', 'project_name') }},
    {{ harvest_source.column(found, 'project__code', 'text', 'project_code') }},
    {{ harvest_source.column(found, 'project__is_billable', 'bool', 'project_is_billable') }},
    {{ harvest_source.column(found, 'client__id', 'bigint', 'client_id') }},
    {{ harvest_source.column(found, 'client__name', 'text', 'client_name') }},
    {{ harvest_source.column(found, 'client__currency', 'text', 'client_currency') }}
  from {{ harvest_source.table_rows('my_project_assignments', found) }}
)

select
  records.account_id,
  records.my_project_assignment_id,
  records.is_active,
  records.is_project_manager,
  records.use_default_rates,
  records.hourly_rate,
  records.budget,
  records.created_at,
  records.updated_at,
  records.project_id,
  coalesce(project_row.name, records.project_name) as project_name,
  coalesce(project_row.code, records.project_code) as project_code,
  coalesce(project_row.is_billable, records.project_is_billable) as project_is_billable,
  records.client_id,
  coalesce(client_row.name, records.client_name) as client_name,
  coalesce(client_row.currency, records.client_currency) as client_currency
from records
left join {{ harvest_source.view_of('stg_harvest__projects') }} as project_row
  on project_row.account_id = records.account_id and project_row.project_id = records.project_id
left join {{ harvest_source.view_of('stg_harvest__clients') }} as client_row
  on client_row.account_id = records.account_id and client_row.client_id = records.client_id
