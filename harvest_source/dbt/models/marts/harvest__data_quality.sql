-- What keeps the numbers from being whole: one row for each finding on a record.
with settings as (
  select as_of from {{ ref('int_harvest__as_of') }}
),

findings as (
  select
    account_id, 'missing_billable_rate' as finding, 'time_entries' as table_name,
    time_entry_id as record_id, spent_date as day, user_id, project_id,
    person_name || ' on ' || coalesce(project_name, '?') as detail
  from {{ ref('harvest__time_entries') }}
  where is_billable_rate_missing and not is_fixed_fee

  union all

  select
    account_id, 'missing_cost_rate', 'time_entries', time_entry_id, spent_date, user_id,
    project_id, person_name || ' on ' || coalesce(project_name, '?')
  from {{ ref('harvest__time_entries') }}
  where is_cost_rate_missing

  union all

  select
    account_id, 'missing_fee', 'projects', project_id, null, null, project_id, project_name
  from {{ ref('harvest__projects') }}
  where is_fixed_fee and fee is null

  union all

  select
    account_id, 'missing_project_dates', 'projects', project_id, null, null, project_id,
    project_name
  from {{ ref('harvest__projects') }}
  where is_fixed_fee
    and (starts_on is null or ends_on is null or starts_on < {{ harvest_source.earliest_day() }})

  union all

  select
    entries.account_id, 'billable_entry_on_non_billable_project', 'time_entries',
    entries.time_entry_id, entries.spent_date, entries.user_id, entries.project_id,
    entries.person_name || ' on ' || coalesce(entries.project_name, '?')
  from {{ ref('harvest__time_entries') }} as entries
  inner join {{ ref('harvest__projects') }} as projects
    on projects.account_id = entries.account_id and projects.project_id = entries.project_id
  where entries.is_billable and not projects.is_billable

  union all

  select
    account_id, 'stale_timer', 'time_entries', time_entry_id, spent_date, user_id, project_id,
    person_name || ' on ' || coalesce(project_name, '?')
  from {{ ref('harvest__time_entries') }}
  where is_running and spent_date < (select as_of from settings)

  union all

  select
    account_id, 'day_over_24_hours', 'users', user_id, spent_date, user_id, null,
    max(person_name) || ': ' || cast(sum(hours) as text)
  from {{ ref('harvest__time_entries') }}
  group by account_id, user_id, spent_date
  having sum(hours) > 24

  {% if var('harvest_invoices') -%}
  union all

  select
    account_id, 'missing_issue_date', 'invoices', invoice_id, null, null, null, invoice_number
  from {{ ref('harvest__invoices') }}
  where issue_date is null and not is_draft

  union all

  select
    payments.account_id, 'missing_paid_date', 'invoice_payments', payments.invoice_payment_id, null,
    null, null, invoices.invoice_number
  from {{ ref('stg_harvest__invoice_payments') }} as payments
  inner join {{ ref('harvest__invoices') }} as invoices
    on invoices.account_id = payments.account_id and invoices.invoice_id = payments.invoice_id
  where payments.paid_date is null

  union all

  select
    invoices.account_id, 'currency_mismatch', 'invoices', invoices.invoice_id, invoices.issue_date,
    null, null,
    coalesce(invoices.invoice_number, '?') || ': ' || invoices.currency || ', client '
      || clients.currency
  from {{ ref('harvest__invoices') }} as invoices
  inner join {{ ref('harvest__clients') }} as clients
    on clients.account_id = invoices.account_id and clients.client_id = invoices.client_id
  where invoices.currency <> clients.currency

  union all

  select
    account_id, 'over_invoiced', 'projects', project_id, null, null, project_id, project_name
  from {{ ref('harvest__uninvoiced') }}
  where is_fixed_fee and uninvoiced_fee < 0
  {%- endif %}

  union all

  select
    account_id, 'value_does_not_fit', table_name, record_id, null, null, null, trim(column_names)
  from {{ ref('int_harvest__misfits') }}
)

select
  account_id,
  cast(finding as text) as finding,
  cast(table_name as text) as table_name,
  record_id,
  cast(day as date) as day,
  cast(user_id as bigint) as user_id,
  cast(project_id as bigint) as project_id,
  cast(detail as text) as detail
from findings
