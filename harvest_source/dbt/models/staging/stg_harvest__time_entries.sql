-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('time_entries') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'time_entry_id') }},
    {{ harvest_source.column(found, 'spent_date', 'date') }},
    {{ harvest_source.column(found, 'user__id', 'bigint', 'user_id') }},
    {{ harvest_source.column(found, 'user__name', 'text', 'user_name') }},
    {{ harvest_source.column(found, 'user_assignment__id', 'bigint', 'user_assignment_id') }},
    {{ harvest_source.column(found, 'client__id', 'bigint', 'client_id') }},
    {{ harvest_source.column(found, 'client__name', 'text', 'client_name') }},
    {{ harvest_source.column(found, 'client__currency', 'text', 'client_currency') }},
    {{ harvest_source.column(found, 'project__id', 'bigint', 'project_id') }},
    {{ harvest_source.column(found, 'project__name', 'text', 'project_name') }},
    {{ harvest_source.column(found, 'project__code', 'text', 'project_code') }},
    {{ harvest_source.column(found, 'task__id', 'bigint', 'task_id') }},
    {{ harvest_source.column(found, 'task__name', 'text', 'task_name') }},
    {{ harvest_source.column(found, 'task_assignment__id', 'bigint', 'task_assignment_id') }},
    {{ harvest_source.column(found, 'external_reference__id', 'text', 'external_reference_id') }},
    {{ harvest_source.column(found, 'external_reference__group_id', 'text', 'external_reference_group_id') }},
    {{ harvest_source.column(found, 'external_reference__account_id', 'text', 'external_reference_account_id') }},
    {{ harvest_source.column(found, 'external_reference__permalink', 'text', 'external_reference_permalink') }},
    {{ harvest_source.column(found, 'external_reference__service', 'text', 'external_reference_service') }},
    {{ harvest_source.column(found, 'external_reference__service_icon_url', 'text', 'external_reference_service_icon_url') }},
    {{ harvest_source.column(found, 'invoice__id', 'bigint', 'invoice_id') }},
    {{ harvest_source.column(found, 'invoice__number', 'text', 'invoice_number') }},
    {{ harvest_source.column(found, 'hours', 'decimal') }},
    {{ harvest_source.column(found, 'hours_without_timer', 'decimal') }},
    {{ harvest_source.column(found, 'rounded_hours', 'decimal') }},
    {{ harvest_source.column(found, 'notes', 'text') }},
    {{ harvest_source.column(found, 'is_locked', 'bool') }},
    {{ harvest_source.column(found, 'is_explicitly_locked', 'bool') }},
    {{ harvest_source.column(found, 'locked_reason', 'text') }},
    {{ harvest_source.column(found, 'is_closed', 'bool') }},
    {{ harvest_source.column(found, 'approval_status', 'text') }},
    {{ harvest_source.column(found, 'is_billed', 'bool') }},
    {{ harvest_source.column(found, 'timer_started_at', 'timestamp') }},
    {{ harvest_source.column(found, 'started_time', 'text') }},
    {{ harvest_source.column(found, 'ended_time', 'text') }},
    {{ harvest_source.column(found, 'is_running', 'bool') }},
    {{ harvest_source.column(found, 'billable', 'bool') }},
    {{ harvest_source.column(found, 'budgeted', 'bool') }},
    {{ harvest_source.column(found, 'billable_rate', 'decimal') }},
    {{ harvest_source.column(found, 'cost_rate', 'decimal') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
  from {{ harvest_source.table_rows('time_entries', found) }}
)

select
  records.account_id,
  records.time_entry_id,
  records.spent_date,
  records.user_id,
  coalesce(user_row.user_name, records.user_name) as user_name,
  records.user_assignment_id,
  records.client_id,
  coalesce(client_row.name, records.client_name) as client_name,
  coalesce(client_row.currency, records.client_currency) as client_currency,
  records.project_id,
  coalesce(project_row.name, records.project_name) as project_name,
  coalesce(project_row.code, records.project_code) as project_code,
  records.task_id,
  coalesce(task_row.name, records.task_name) as task_name,
  records.task_assignment_id,
  records.external_reference_id,
  records.external_reference_group_id,
  records.external_reference_account_id,
  records.external_reference_permalink,
  records.external_reference_service,
  records.external_reference_service_icon_url,
  records.invoice_id,
  coalesce(invoice_row.number, records.invoice_number) as invoice_number,
  records.hours,
  records.hours_without_timer,
  records.rounded_hours,
  records.notes,
  records.is_locked,
  records.is_explicitly_locked,
  records.locked_reason,
  records.is_closed,
  records.approval_status,
  records.is_billed,
  records.timer_started_at,
  records.started_time,
  records.ended_time,
  records.is_running,
  records.billable,
  records.budgeted,
  records.billable_rate,
  records.cost_rate,
  records.created_at,
  records.updated_at
from records
left join {{ harvest_source.view_of('stg_harvest__users') }} as user_row
  on user_row.account_id = records.account_id and user_row.user_id = records.user_id
left join {{ harvest_source.view_of('stg_harvest__clients') }} as client_row
  on client_row.account_id = records.account_id and client_row.client_id = records.client_id
left join {{ harvest_source.view_of('stg_harvest__projects') }} as project_row
  on project_row.account_id = records.account_id and project_row.project_id = records.project_id
left join {{ harvest_source.view_of('stg_harvest__tasks') }} as task_row
  on task_row.account_id = records.account_id and task_row.task_id = records.task_id
left join {{ harvest_source.view_of('stg_harvest__invoices') }} as invoice_row
  on invoice_row.account_id = records.account_id and invoice_row.invoice_id = records.invoice_id
