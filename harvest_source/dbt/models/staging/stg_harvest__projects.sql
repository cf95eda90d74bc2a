-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('projects') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'project_id') }},
    {{ harvest_source.column(found, 'client__id', 'bigint', 'client_id') }},
    {{ harvest_source.column(found, 'client__name', 'text', 'client_name') }},
    {{ harvest_source.column(found, 'client__currency', 'text', 'client_currency') }},
    {{ harvest_source.column(found, 'name', 'text') }},
    {{ harvest_source.column(found, 'code', 'text') }},
    {{ harvest_source.column(found, 'is_active', 'bool') }},
    {{ harvest_source.column(found, 'is_billable', 'bool') }},
    {{ harvest_source.column(found, 'is_fixed_fee', 'bool') }},
    {{ harvest_source.column(found, 'bill_by', 'text') }},
    {{ harvest_source.column(found, 'hourly_rate', 'decimal') }},
    {{ harvest_source.column(found, 'budget_by', 'text') }},
    {{ harvest_source.column(found, 'budget_is_monthly', 'bool') }},
    {{ harvest_source.column(found, 'budget', 'decimal') }},
    {{ harvest_source.column(found, 'cost_budget', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'cost_budget_include_expenses', 'bool') }},
    {{ harvest_source.column(found, 'notify_when_over_budget', 'bool') }},
    {{ harvest_source.column(found, 'over_budget_notification_percentage', 'decimal') }},
    {{ harvest_source.column(found, 'over_budget_notification_date', 'date') }},
    {{ harvest_source.column(found, 'show_budget_to_all', 'bool') }},
    {{ harvest_source.column(found, 'fee', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'notes', 'text') }},
    {{ harvest_source.column(found, 'starts_on', 'date') }},
    {{ harvest_source.column(found, 'ends_on', 'date') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
  from {{ harvest_source.table_rows('projects', found) }}
)

select
  records.account_id,
  records.project_id,
  records.client_id,
  coalesce(client_row.name, records.client_name) as client_name,
  coalesce(client_row.currency, records.client_currency) as client_currency,
  records.name,
  records.code,
  records.is_active,
  records.is_billable,
  records.is_fixed_fee,
  records.bill_by,
  records.hourly_rate,
  records.budget_by,
  records.budget_is_monthly,
  records.budget,
  records.cost_budget,
  records.cost_budget_include_expenses,
  records.notify_when_over_budget,
  records.over_budget_notification_percentage,
  records.over_budget_notification_date,
  records.show_budget_to_all,
  records.fee,
  records.notes,
  records.starts_on,
  records.ends_on,
  records.created_at,
  records.updated_at
from records
left join {{ harvest_source.view_of('stg_harvest__clients') }} as client_row
  on client_row.account_id = records.account_id and client_row.client_id = records.client_id
