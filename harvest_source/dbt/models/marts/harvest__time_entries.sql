with entries as (
  select
    entries.account_id,
    entries.time_entry_id,
    entries.spent_date,
    entries.user_id,
    coalesce(people.user_name, entries.user_name) as person_name,
    coalesce(projects.client_id, entries.client_id) as client_id,
    coalesce(projects.client_name, entries.client_name) as client_name,
    entries.project_id,
    entries.project_name,
    entries.project_code,
    entries.task_id,
    entries.task_name,
    coalesce(projects.client_currency, entries.client_currency) as currency,
    coalesce(entries.hours, 0) as hours,
    coalesce(entries.rounded_hours, entries.hours, 0) as rounded_hours,
    coalesce(entries.billable, false) as is_billable,
    coalesce(projects.is_fixed_fee, false) as is_fixed_fee,
    coalesce(entries.budgeted, false) as is_budgeted,
    coalesce(entries.is_billed, false) as is_billed,
    coalesce(entries.is_running, false) as is_running,
    {{ harvest_source.is_in('entries.task_id', var('harvest_time_off_task_ids')) }} as is_time_off,
    {{ harvest_source.is_in('entries.task_id', var('harvest_holiday_task_ids')) }} as is_holiday,
    entries.billable_rate,
    coalesce(entries.cost_rate, rates.cost_rate) as cost_rate,
    entries.invoice_id,
    entries.invoice_number,
    entries.approval_status,
    entries.notes,
    entries.created_at,
    entries.updated_at
  from {{ ref('stg_harvest__time_entries') }} as entries
  left join {{ ref('stg_harvest__users') }} as people
    on people.account_id = entries.account_id and people.user_id = entries.user_id
  left join {{ ref('stg_harvest__projects') }} as projects
    on projects.account_id = entries.account_id and projects.project_id = entries.project_id
  left join {{ ref('int_harvest__cost_rates') }} as rates
    on rates.account_id = entries.account_id
    and rates.user_id = entries.user_id
    and entries.spent_date >= rates.valid_from
    and entries.spent_date < rates.valid_before
)

select
  account_id,
  time_entry_id,
  spent_date,
  {{ harvest_source.month_of('spent_date') }} as spent_month,
  user_id,
  person_name,
  client_id,
  client_name,
  project_id,
  project_name,
  project_code,
  task_id,
  task_name,
  currency,
  hours,
  rounded_hours,
  is_billable,
  is_fixed_fee,
  is_budgeted,
  is_billed,
  is_running,
  is_time_off,
  is_holiday,
  billable_rate,
  cost_rate,
  -- An entry that is not billable earns nothing. One that is, but whose rate is not known, earns an
  -- amount that is not known.
  {%- set value = harvest_source.product('rounded_hours', 'billable_rate') %}
  {{ harvest_source.amount(
    'case when is_billable and not is_fixed_fee then ' ~ value ~ ' else 0 end'
  ) }} as billable_amount,
  {{ harvest_source.amount('case when is_billable then ' ~ value ~ ' else 0 end') }}
    as standard_value,
  {{ harvest_source.amount(harvest_source.product(harvest_source.logged_hours(), 'cost_rate')) }}
    as cost,
  is_billable and billable_rate is null as is_billable_rate_missing,
  cost_rate is null as is_cost_rate_missing,
  invoice_id,
  invoice_number,
  approval_status,
  notes,
  created_at,
  updated_at
from entries
