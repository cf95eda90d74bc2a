{{ config(enabled=var('harvest_invoices')) }}

-- What invoices bring against what the work was worth. Drafts are left out: nothing is invoiced yet.
with worth as (
  select
    account_id,
    invoice_id,
    project_id,
    sum({{ harvest_source.logged_hours() }}) as hours,
    sum(standard_value) as standard_value,
    sum(case when is_billable_rate_missing then 1 else 0 end) as without_rate
  from {{ ref('harvest__time_entries') }}
  where invoice_id is not null
  group by account_id, invoice_id, project_id
)

select
  parts.account_id,
  parts.invoice_id,
  parts.project_id,
  invoices.invoice_number,
  invoices.client_id,
  invoices.client_name,
  parts.project_name,
  invoices.currency,
  invoices.state,
  invoices.issue_date,
  invoices.issue_month,
  {{ harvest_source.hours_of('coalesce(worth.hours, 0)') }} as billed_hours,
  case
    when coalesce(worth.without_rate, 0) = 0
      then {{ harvest_source.money('coalesce(worth.standard_value, 0)') }}
  end as standard_value,
  parts.net_amount as invoiced_net,
  {{ harvest_source.money('invoices.collected_amount * parts.share') }} as collected_amount,
  {{ harvest_source.ratio(
    'parts.net_amount',
    'case when coalesce(worth.without_rate, 0) = 0 then worth.standard_value end'
  ) }} as realisation,
  {{ harvest_source.ratio('invoices.collected_amount', 'invoices.amount') }} as collection
from {{ ref('int_harvest__invoice_projects') }} as parts
inner join {{ ref('harvest__invoices') }} as invoices
  on invoices.account_id = parts.account_id and invoices.invoice_id = parts.invoice_id
left join worth
  on worth.account_id = parts.account_id
  and worth.invoice_id = parts.invoice_id
  and worth.project_id = parts.project_id
where not invoices.is_draft
