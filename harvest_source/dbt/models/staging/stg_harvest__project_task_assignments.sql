-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='project_task_assignments' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('project_task_assignments') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'project_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'project_task_assignment_id') }},
    {{ harvest_source.column(found, 'project__id', 'bigint', 'project_id') }},
    {{ harvest_source.column(found, 'project__name', 'text', 'project_name') }},
    {{ harvest_source.column(found, 'project__code', 'text', 'project_code') }},
    {{ harvest_source.column(found, 'task__id', 'bigint', 'task_id') }},
    {{ harvest_source.column(found, 'task__name', 'text', 'task_name') }},
    {{ harvest_source.column(found, 'is_active', 'bool') }},
    {{ harvest_source.column(found, 'billable', 'bool') }},
    {{ harvest_source.column(found, 'hourly_rate', 'decimal') }},
    {{ harvest_source.column(found, 'budget', 'decimal') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
  from {{ harvest_source.table_rows('project_task_assignments', found) }}
)

select
  records.account_id,
  records.project_id,
  records.project_task_assignment_id,
  records.project_id,
  coalesce(project_row.name, records.project_name) as project_name,
  coalesce(project_row.code, records.project_code) as project_code,
  records.task_id,
  coalesce(task_row.name, records.task_name) as task_name,
  records.is_active,
  records.billable,
  records.hourly_rate,
  records.budget,
  records.created_at,
  records.updated_at
from records
left join {{ harvest_source.view_of('stg_harvest__projects') }} as project_row
  on project_row.account_id = records.account_id and project_row.project_id = records.project_id
left join {{ harvest_source.view_of('stg_harvest__tasks') }} as task_row
  on task_row.account_id = records.account_id and task_row.task_id = records.task_id
