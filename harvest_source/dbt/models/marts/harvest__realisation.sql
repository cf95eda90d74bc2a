{{ config(enabled=var('harvest_invoices')) }}

-- What invoices bring against what the work was worth. Drafts are left out: nothing is invoiced yet.
-- Work on a project that no line names is a row of its own, so that an invoice has all its work.
with parts as (
  select
    account_id,
    invoice_id,
    project_id,
    project_name,
    {{ harvest_source.logged_hours() }} as hours,
    standard_value,
    case when is_billable_rate_missing then 1 else 0 end as without_rate,
    0 as expenses,
    0 as net_amount,
    0 as share,
    cast(null as bigint) as size_rank
  from {{ ref('harvest__time_entries') }}
  where invoice_id is not null

  union all

  select
    account_id,
    invoice_id,
    project_id,
    project_name,
    0 as hours,
    null as standard_value,
    0 as without_rate,
    total_cost as expenses,
    0 as net_amount,
    0 as share,
    null as size_rank
  from {{ ref('stg_harvest__expenses') }}
  where invoice_id is not null

  union all

  select
    account_id,
    invoice_id,
    project_id,
    project_name,
    0 as hours,
    null as standard_value,
    0 as without_rate,
    0 as expenses,
    net_amount,
    share,
    size_rank
  from {{ ref('int_harvest__invoice_projects') }}
),

sums as (
  select
    account_id,
    invoice_id,
    project_id,
    max(project_name) as project_name,
    sum(hours) as hours,
    case when sum(without_rate) = 0 then coalesce(sum(standard_value), 0) end as standard_value,
    sum(expenses) as expenses,
    sum(net_amount) as net_amount,
    sum(share) as share,
    min(size_rank) as size_rank
  from parts
  group by account_id, invoice_id, project_id
),

joined as (
  select
    sums.*,
    invoices.invoice_number,
    invoices.client_id,
    invoices.client_name,
    invoices.currency,
    invoices.state,
    invoices.issue_date,
    invoices.issue_month,
    invoices.amount as invoice_amount,
    invoices.collected_amount as invoice_collected,
    {{ harvest_source.money('round(invoices.collected_amount * sums.share, 2)') }} as collected
  from sums
  inner join {{ ref('harvest__invoices') }} as invoices
    on invoices.account_id = sums.account_id and invoices.invoice_id = sums.invoice_id
  where not invoices.is_draft
)

select
  account_id,
  invoice_id,
  project_id,
  invoice_number,
  client_id,
  client_name,
  project_name,
  currency,
  state,
  issue_date,
  issue_month,
  {{ harvest_source.hours_of('hours') }} as billed_hours,
  {{ harvest_source.money('standard_value') }} as standard_value,
  {{ harvest_source.money('expenses') }} as billed_expenses,
  {{ harvest_source.money('net_amount') }} as invoiced_net,
  -- Cents that rounding leaves over go to the largest project.
  {{ harvest_source.money(
    'collected + case
      when size_rank = 1
        then invoice_collected - sum(collected) over (partition by account_id, invoice_id)
      else 0
    end'
  ) }} as collected_amount,
  {{ harvest_source.ratio('net_amount - expenses', 'standard_value') }} as realisation,
  {{ harvest_source.ratio('invoice_collected', 'invoice_amount') }} as collection
from joined
