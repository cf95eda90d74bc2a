-- Three amounts that are not to be added: what the work of a month was worth, what was invoiced in it
-- (net, no drafts), and what was paid in it (cash, taxes included).
with worked as (
  select
    account_id,
    client_id,
    project_id,
    spent_month as month,
    currency,
    count(*) as entries,
    sum(standard_value) as work_value,
    0 as invoiced_net,
    0 as collected_amount
  from {{ ref('harvest__time_entries') }}
  group by account_id, client_id, project_id, spent_month, currency
),

{% if var('harvest_invoices') %}
invoiced as (
  select
    invoices.account_id,
    invoices.client_id,
    parts.project_id,
    invoices.issue_month as month,
    invoices.currency,
    0 as entries,
    cast(null as numeric(18, 4)) as work_value,
    parts.net_amount as invoiced_net,
    0 as collected_amount
  from {{ ref('int_harvest__invoice_projects') }} as parts
  inner join {{ ref('harvest__invoices') }} as invoices
    on invoices.account_id = parts.account_id and invoices.invoice_id = parts.invoice_id
  where not invoices.is_draft
),

payments as (
  select
    parts.account_id,
    parts.invoice_id,
    parts.project_id,
    parts.size_rank,
    payments.invoice_payment_id,
    payments.paid_date,
    payments.amount,
    {{ harvest_source.money('round(payments.amount * parts.share, 2)') }} as part
  from {{ ref('stg_harvest__invoice_payments') }} as payments
  inner join {{ ref('int_harvest__invoice_projects') }} as parts
    on parts.account_id = payments.account_id and parts.invoice_id = payments.invoice_id
),

collected as (
  select
    payments.account_id,
    invoices.client_id,
    payments.project_id,
    {{ harvest_source.month_of('payments.paid_date') }} as month,
    invoices.currency,
    0 as entries,
    cast(null as numeric(18, 4)) as work_value,
    0 as invoiced_net,
    payments.part + case
      when payments.size_rank = 1
        then payments.amount - sum(payments.part) over (
          partition by payments.account_id, payments.invoice_id, payments.invoice_payment_id
        )
      else 0
    end as collected_amount
  from payments
  inner join {{ ref('harvest__invoices') }} as invoices
    on invoices.account_id = payments.account_id and invoices.invoice_id = payments.invoice_id
),
{% endif %}

amounts as (
  select * from worked
  {% if var('harvest_invoices') %}
  union all
  select * from invoiced
  union all
  select * from collected
  {% endif %}
),

sums as (
  select
    account_id,
    client_id,
    project_id,
    month,
    currency,
    -- Null if no rate is known, also in a month with invoices; 0 without entries.
    case when sum(entries) > 0 then sum(work_value) else 0 end as work_value,
    sum(invoiced_net) as invoiced_net,
    sum(collected_amount) as collected_amount
  from amounts
  group by account_id, client_id, project_id, month, currency
)

select
  sums.account_id,
  sums.client_id,
  sums.project_id,
  sums.month,
  sums.currency,
  clients.name as client_name,
  projects.name as project_name,
  {{ harvest_source.money('sums.work_value') }} as work_value,
  {{ harvest_source.money('sums.invoiced_net') }} as invoiced_net,
  {{ harvest_source.money('sums.collected_amount') }} as collected_amount,
  accounts.currency as account_currency,
  cast(
    case when sums.currency = accounts.currency then 1 else rates.rate end
  as numeric(18, 8)) as exchange_rate
from sums
left join {{ ref('stg_harvest__clients') }} as clients
  on clients.account_id = sums.account_id and clients.client_id = sums.client_id
left join {{ ref('stg_harvest__projects') }} as projects
  on projects.account_id = sums.account_id and projects.project_id = sums.project_id
left join {{ ref('int_harvest__accounts') }} as accounts on accounts.account_id = sums.account_id
left join {{ ref('int_harvest__exchange_rates') }} as rates
  on rates.currency = sums.currency
  and rates.account_currency is not distinct from accounts.currency
  and sums.month >= rates.valid_from
  and sums.month < rates.valid_before
