-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('user_assignments') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'user_assignment_id') }},
    {{ harvest_source.column(found, 'project__id', 'bigint', 'project_id') }},
    {{ harvest_source.column(found, 'project__name', 'text', 'project_name') }},
    {{ harvest_source.column(found, 'project__code', 'text', 'project_code') }},
    {{ harvest_source.column(found, 'user__id', 'bigint', 'user_id') }},
    {{ harvest_source.column(found, 'user__name', 'text', 'user_name') }},
    {{ harvest_source.column(found, 'is_active', 'bool') }},
    {{ harvest_source.column(found, 'is_project_manager', 'bool') }},
    {{ harvest_source.column(found, 'use_default_rates', 'bool') }},
    {{ harvest_source.column(found, 'hourly_rate', 'decimal') }},
    {{ harvest_source.column(found, 'budget', 'decimal') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
  from {{ harvest_source.table_rows('user_assignments', found) }}
)

select
  records.account_id,
  records.user_assignment_id,
  records.project_id,
  coalesce(project_row.name, records.project_name) as project_name,
  coalesce(project_row.code, records.project_code) as project_code,
  records.user_id,
  coalesce(user_row.user_name, records.user_name) as user_name,
  records.is_active,
  records.is_project_manager,
  records.use_default_rates,
  records.hourly_rate,
  records.budget,
  records.created_at,
  records.updated_at
from records
left join {{ harvest_source.view_of('stg_harvest__projects') }} as project_row
  on project_row.account_id = records.account_id and project_row.project_id = records.project_id
left join {{ harvest_source.view_of('stg_harvest__users') }} as user_row
  on user_row.account_id = records.account_id and user_row.user_id = records.user_id
