-- What is billable and on no invoice. Running timers are left out until they stop. A fixed fee counts
-- as what is left of it, whatever was worked. Work on a project that is not among the projects, which
-- a token may not see, counts with the client that the entries name.
with worked as (
  select
    entries.account_id,
    entries.project_id,
    {{ harvest_source.project_currency('entries.currency') }} as currency,
    {{ harvest_source.unknown_client('entries.client_id') }} as unknown_client,
    max(entries.project_name) as project_name,
    max(entries.client_id) as client_id,
    max(entries.client_name) as client_name,
    sum(entries.rounded_hours) as total_hours,
    sum(case when entries.is_billable and not entries.is_billed then entries.rounded_hours else 0 end)
      as hours,
    sum(case when entries.is_billable and not entries.is_billed then entries.billable_amount else 0 end)
      as time_amount,
    sum(case
      when entries.is_billable_rate_missing and not entries.is_fixed_fee and not entries.is_billed
        then entries.rounded_hours
      else 0
    end) as hours_without_rate,
    min(case when entries.is_billable and not entries.is_billed then entries.spent_date end)
      as oldest_date
  from {{ ref('harvest__time_entries') }} as entries
  left join {{ ref('harvest__projects') }} as projects
    on projects.account_id = entries.account_id and projects.project_id = entries.project_id
  where not entries.is_running
  group by entries.account_id, entries.project_id, 3, 4
),

spent as (
  select
    expenses.account_id,
    expenses.project_id,
    {{ harvest_source.project_currency('expenses.client_currency') }} as currency,
    {{ harvest_source.unknown_client('expenses.client_id') }} as unknown_client,
    max(expenses.project_name) as project_name,
    max(expenses.client_id) as client_id,
    max(expenses.client_name) as client_name,
    sum(expenses.total_cost) as expenses,
    min(expenses.spent_date) as oldest_date
  from {{ ref('stg_harvest__expenses') }} as expenses
  left join {{ ref('harvest__projects') }} as projects
    on projects.account_id = expenses.account_id and projects.project_id = expenses.project_id
  where expenses.billable and not coalesce(expenses.is_billed, false)
  group by expenses.account_id, expenses.project_id, 3, 4
),

keys as (
  select account_id, project_id, currency, cast(null as bigint) as unknown_client
  from {{ ref('harvest__projects') }}
  union
  select account_id, project_id, currency, unknown_client from worked
  union
  select account_id, project_id, currency, unknown_client from spent
),

invoiced as (
  {% if var('harvest_invoices') -%}
  select
    lines.account_id,
    lines.project_id,
    {{ harvest_source.project_currency('lines.currency') }} as currency,
    {{ harvest_source.unknown_client('lines.client_id') }} as unknown_client,
    sum(lines.amount) as amount,
    sum(case when lines.state = 'draft' then lines.amount else 0 end) as on_drafts
  from {{ ref('harvest__invoice_lines') }} as lines
  left join {{ ref('harvest__projects') }} as projects
    on projects.account_id = lines.account_id and projects.project_id = lines.project_id
  where lines.project_id is not null
  group by lines.account_id, lines.project_id, 3, 4
  {%- else -%}
  select
    cast(null as bigint) as account_id,
    cast(null as bigint) as project_id,
    cast(null as text) as currency,
    cast(null as bigint) as unknown_client,
    0 as amount,
    0 as on_drafts
  where 1 = 0
  {%- endif %}
),

joined as (
  select
    keys.account_id,
    keys.project_id,
    keys.currency,
    coalesce(projects.project_name, worked.project_name, spent.project_name) as project_name,
    coalesce(projects.client_id, worked.client_id, spent.client_id) as client_id,
    coalesce(projects.client_name, worked.client_name, spent.client_name) as client_name,
    coalesce(projects.is_archived, false) as is_archived,
    coalesce(projects.is_fixed_fee, false) as is_fixed_fee,
    coalesce(worked.total_hours, 0) as total_hours,
    coalesce(worked.hours, 0) as hours,
    coalesce(worked.hours_without_rate, 0) as hours_without_rate,
    case when projects.is_fixed_fee then 0 else coalesce(worked.time_amount, 0) end as time_amount,
    case when projects.is_fixed_fee then projects.fee - coalesce(invoiced.amount, 0) else 0 end
      as fee_amount,
    coalesce(spent.expenses, 0) as expenses,
    coalesce(invoiced.on_drafts, 0) as on_drafts,
    least(worked.oldest_date, spent.oldest_date) as oldest_date
  from keys
  left join {{ ref('harvest__projects') }} as projects
    on projects.account_id = keys.account_id and projects.project_id = keys.project_id
  left join worked
    on worked.account_id = keys.account_id
    and worked.project_id = keys.project_id
    and worked.currency is not distinct from keys.currency
    and worked.unknown_client is not distinct from keys.unknown_client
  left join spent
    on spent.account_id = keys.account_id
    and spent.project_id = keys.project_id
    and spent.currency is not distinct from keys.currency
    and spent.unknown_client is not distinct from keys.unknown_client
  left join invoiced
    on invoiced.account_id = keys.account_id
    and invoiced.project_id = keys.project_id
    and invoiced.currency is not distinct from keys.currency
    and invoiced.unknown_client is not distinct from keys.unknown_client
)

select
  joined.account_id,
  joined.project_id,
  joined.currency,
  joined.project_name,
  joined.client_id,
  joined.client_name,
  joined.is_archived,
  joined.is_fixed_fee,
  {{ harvest_source.hours_of('joined.total_hours') }} as total_hours,
  {{ harvest_source.hours_of('joined.hours') }} as uninvoiced_hours,
  {{ harvest_source.money('joined.time_amount') }} as uninvoiced_time,
  {{ harvest_source.money('joined.fee_amount') }} as uninvoiced_fee,
  {{ harvest_source.money('joined.expenses') }} as uninvoiced_expenses,
  {{ harvest_source.money('joined.time_amount + joined.fee_amount + joined.expenses') }}
    as uninvoiced_amount,
  {{ harvest_source.money('joined.on_drafts') }} as on_drafts,
  {{ harvest_source.hours_of('joined.hours_without_rate') }} as hours_without_billable_rate,
  joined.oldest_date as oldest_uninvoiced_date,
  cast(as_of.as_of - joined.oldest_date as bigint) as oldest_uninvoiced_days
from joined
cross join {{ ref('int_harvest__as_of') }} as as_of
