-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='project_assignments__task_assignments' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('project_assignments__task_assignments') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'user_id', 'bigint') }},
    {{ harvest_source.column(found, 'project_assignment_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'task_assignment_id') }},
    {{ harvest_source.column(found, 'billable', 'bool') }},
    {{ harvest_source.column(found, 'is_active', 'bool') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }},
    {{ harvest_source.column(found, 'hourly_rate', 'decimal') }},
    {{ harvest_source.column(found, 'budget', 'decimal') }},
    {{ harvest_source.column(found, 'task__id', 'bigint', 'task_id') }},
    {{ harvest_source.column(found, 'task__name', 'text', 'task_name') }}
  from {{ harvest_source.table_rows('project_assignments__task_assignments', found) }}
)

select
  records.account_id,
  records.user_id,
  records.project_assignment_id,
  records.task_assignment_id,
  records.billable,
  records.is_active,
  records.created_at,
  records.updated_at,
  records.hourly_rate,
  records.budget,
  records.task_id,
  coalesce(task_row.name, records.task_name) as task_name
from records
left join {{ harvest_source.view_of('stg_harvest__tasks') }} as task_row
  on task_row.account_id = records.account_id and task_row.task_id = records.task_id
