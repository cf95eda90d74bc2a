-- As Harvest's profitability report defines it. Time and materials earn billable hours at their rates
-- and billable expenses, in the month of the work. A fixed fee is spread over the days of the project,
-- first and last included; where more was invoiced than the fee, that is spread in its place. Work on a
-- project that is not among the projects counts with the client that the entries name.
with worked as (
  select
    entries.account_id,
    entries.project_id,
    entries.spent_month as month,
    {{ harvest_source.project_currency('entries.currency') }} as currency,
    {{ harvest_source.unknown_client('entries.client_id') }} as unknown_client,
    max(entries.project_name) as project_name,
    max(entries.client_id) as client_id,
    max(entries.client_name) as client_name,
    sum({{ harvest_source.logged_hours('entries.') }}) as hours,
    sum(case when entries.is_billable then {{ harvest_source.logged_hours('entries.') }} else 0 end)
      as billable_hours,
    sum(case
      when entries.is_billable and not entries.is_fixed_fee
        then {{ harvest_source.product(harvest_source.logged_hours('entries.'), 'entries.billable_rate') }}
    end) as time_revenue,
    sum(entries.cost) as time_cost,
    sum(case
      when entries.is_cost_rate_missing then {{ harvest_source.logged_hours('entries.') }}
      else 0
    end) as hours_without_cost_rate,
    sum(case
      when entries.is_billable_rate_missing and not entries.is_fixed_fee
        then {{ harvest_source.logged_hours('entries.') }}
      else 0
    end) as hours_without_billable_rate,
    0 as billable_expenses,
    0 as expenses,
    0 as fee_revenue
  from {{ ref('harvest__time_entries') }} as entries
  left join {{ ref('harvest__projects') }} as projects
    on projects.account_id = entries.account_id and projects.project_id = entries.project_id
  group by entries.account_id, entries.project_id, entries.spent_month, 4, 5
),

spent as (
  select
    expenses.account_id,
    expenses.project_id,
    {{ harvest_source.month_of('expenses.spent_date') }} as month,
    {{ harvest_source.project_currency('expenses.client_currency') }} as currency,
    {{ harvest_source.unknown_client('expenses.client_id') }} as unknown_client,
    max(expenses.project_name) as project_name,
    max(expenses.client_id) as client_id,
    max(expenses.client_name) as client_name,
    0 as hours,
    0 as billable_hours,
    0 as time_revenue,
    0 as time_cost,
    0 as hours_without_cost_rate,
    0 as hours_without_billable_rate,
    sum(case when expenses.billable then expenses.total_cost else 0 end) as billable_expenses,
    sum(expenses.total_cost) as expenses,
    0 as fee_revenue
  from {{ ref('stg_harvest__expenses') }} as expenses
  left join {{ ref('harvest__projects') }} as projects
    on projects.account_id = expenses.account_id and projects.project_id = expenses.project_id
  group by expenses.account_id, expenses.project_id, 3, 4, 5
),

{% if var('harvest_invoices') -%}
invoiced as (
  select account_id, project_id, sum(net_amount) as amount
  from {{ ref('harvest__invoice_lines') }}
  where state <> 'draft'
  group by account_id, project_id
),
{%- endif %}

fees as (
  select
    projects.account_id,
    projects.project_id,
    projects.currency,
    projects.starts_on,
    projects.ends_on,
    {% if var('harvest_invoices') -%}
    greatest(projects.fee, coalesce(invoiced.amount, 0)) as fee,
    {%- else -%}
    projects.fee,
    {%- endif %}
    projects.ends_on - projects.starts_on + 1 as days,
    least(projects.ends_on, settings.as_of) as last_day
  from {{ ref('harvest__projects') }} as projects
  cross join {{ ref('int_harvest__as_of') }} as settings
  {% if var('harvest_invoices') -%}
  left join invoiced
    on invoiced.account_id = projects.account_id and invoiced.project_id = projects.project_id
  {%- endif %}
  where projects.is_fixed_fee
    and projects.fee is not null
    and projects.starts_on between {{ harvest_source.earliest_day() }} and projects.ends_on
),

fee_days as (
  select
    account_id,
    project_id,
    currency,
    starts_on,
    ends_on,
    fee,
    days,
    {{ harvest_source.each_day('starts_on', 'last_day') }} as moment
  from fees
),

fee_months as (
  select distinct
    account_id, project_id, currency, starts_on, ends_on, fee, days,
    {{ harvest_source.month_of('moment') }} as month
  from fee_days
),

fee_ends as (
  select
    *,
    -- Days of the project up to the end of the month, and before its begin.
    least({{ harvest_source.month_end_of('month') }}, ends_on) - starts_on + 1 as days_until,
    greatest(month, starts_on) - starts_on as days_before
  from fee_months
),

spread as (
  select
    account_id,
    project_id,
    month,
    currency,
    cast(null as bigint) as unknown_client,
    cast(null as text) as project_name,
    cast(null as bigint) as client_id,
    cast(null as text) as client_name,
    0 as hours,
    0 as billable_hours,
    0 as time_revenue,
    0 as time_cost,
    0 as hours_without_cost_rate,
    0 as hours_without_billable_rate,
    0 as billable_expenses,
    0 as expenses,
    -- The difference of two rounded sums: the months add up to the fee.
    {{ harvest_source.money('round(fee * days_until / days, 2)') }}
      - {{ harvest_source.money('round(fee * days_before / days, 2)') }} as fee_revenue
  from fee_ends
),

parts as (
  select * from worked
  union all
  select * from spent
  union all
  select * from spread
),

sums as (
  select
    account_id,
    project_id,
    month,
    currency,
    max(project_name) as project_name,
    max(client_id) as client_id,
    max(client_name) as client_name,
    sum(hours) as hours,
    sum(billable_hours) as billable_hours,
    coalesce(sum(time_revenue), 0) as time_revenue,
    coalesce(sum(time_cost), 0) as time_cost,
    sum(hours_without_cost_rate) as hours_without_cost_rate,
    sum(hours_without_billable_rate) as hours_without_billable_rate,
    sum(billable_expenses) as billable_expenses,
    sum(expenses) as expenses,
    sum(fee_revenue) as fee_revenue
  from parts
  group by account_id, project_id, month, currency, unknown_client
),

valued as (
  select
    sums.account_id,
    sums.project_id,
    sums.month,
    sums.currency,
    coalesce(projects.project_name, sums.project_name) as project_name,
    coalesce(projects.client_id, sums.client_id) as client_id,
    coalesce(projects.client_name, sums.client_name) as client_name,
    sums.hours,
    sums.billable_hours,
    sums.time_cost,
    sums.hours_without_cost_rate,
    sums.hours_without_billable_rate,
    sums.billable_expenses,
    sums.expenses,
    coalesce(projects.is_fixed_fee, false) as is_fixed_fee,
    coalesce(projects.is_billable, false) as is_billable,
    accounts.currency as account_currency,
    -- Cost rates are in the account's currency, revenue and expenses in the client's.
    case when sums.currency = accounts.currency then 1 else rates.rate end as exchange_rate,
    case
      when not coalesce(projects.is_fixed_fee, false) then sums.time_revenue + sums.billable_expenses
      when projects.fee is null or projects.starts_on is null or projects.ends_on is null then null
      when projects.starts_on < {{ harvest_source.earliest_day() }} then null
      else sums.fee_revenue
    end as revenue
  from sums
  left join {{ ref('harvest__projects') }} as projects
    on projects.account_id = sums.account_id and projects.project_id = sums.project_id
  left join {{ ref('int_harvest__accounts') }} as accounts on accounts.account_id = sums.account_id
  left join {{ ref('int_harvest__exchange_rates') }} as rates
    on rates.currency = sums.currency
    and rates.account_currency is not distinct from accounts.currency
    and sums.month >= rates.valid_from
    and sums.month < rates.valid_before
),

-- The margin is the difference of the amounts as they are shown.
costed as (
  select
    account_id,
    project_id,
    month,
    currency,
    project_name,
    client_id,
    client_name,
    is_fixed_fee,
    is_billable,
    hours,
    billable_hours,
    billable_expenses,
    account_currency,
    time_cost,
    expenses,
    hours_without_billable_rate,
    hours_without_cost_rate,
    {{ harvest_source.money('revenue') }} as revenue,
    case
      when hours_without_cost_rate > 0 then null
      when exchange_rate = 1 then {{ harvest_source.money('time_cost + expenses') }}
      else {{ harvest_source.money('time_cost / exchange_rate + expenses') }}
    end as cost
  from valued
)

select
  account_id,
  project_id,
  month,
  currency,
  project_name,
  client_id,
  client_name,
  is_fixed_fee,
  is_billable,
  {{ harvest_source.hours_of('hours') }} as hours,
  {{ harvest_source.hours_of('billable_hours') }} as billable_hours,
  revenue,
  {{ harvest_source.money('billable_expenses') }} as billable_expenses,
  account_currency,
  {{ harvest_source.money('time_cost') }} as time_cost,
  {{ harvest_source.money('expenses') }} as expense_cost,
  {{ harvest_source.money('cost') }} as cost,
  {{ harvest_source.money('revenue - cost') }} as margin,
  {{ harvest_source.ratio('revenue - cost', 'revenue') }} as margin_share_of_revenue,
  {{ harvest_source.hours_of('hours_without_billable_rate') }} as hours_without_billable_rate,
  {{ harvest_source.hours_of('hours_without_cost_rate') }} as hours_without_cost_rate,
  coalesce(currency <> account_currency, true) as is_other_currency,
  is_fixed_fee and revenue is null as is_fee_or_date_missing
from costed
