{{ config(enabled=var('harvest_invoices')) }}

with payments as (
  select account_id, invoice_id, sum(amount) as amount, max(paid_date) as last_paid_date
  from {{ ref('stg_harvest__invoice_payments') }}
  group by account_id, invoice_id
),

invoices as (
  select
    invoices.*,
    coalesce(invoices.tax_amount, 0) + coalesce(invoices.tax2_amount, 0) as taxes,
    -- Without the table of payments, what is no longer due was paid.
    case
      when payments.amount is not null then payments.amount
      when invoices.state in ('open', 'paid') then invoices.amount - invoices.due_amount
      else 0
    end as collected,
    payments.last_paid_date
  from {{ ref('stg_harvest__invoices') }} as invoices
  left join payments
    on payments.account_id = invoices.account_id and payments.invoice_id = invoices.invoice_id
)

select
  invoices.account_id,
  invoices.invoice_id,
  invoices.number as invoice_number,
  invoices.client_id,
  invoices.client_name,
  invoices.currency,
  invoices.state,
  invoices.state = 'draft' as is_draft,
  invoices.issue_date,
  {{ harvest_source.month_of('invoices.issue_date') }} as issue_month,
  invoices.due_date,
  invoices.paid_date,
  invoices.period_start,
  invoices.period_end,
  invoices.amount,
  {{ harvest_source.money('invoices.taxes') }} as tax_amount,
  {{ harvest_source.money('coalesce(invoices.discount_amount, 0)') }} as discount_amount,
  {{ harvest_source.money('invoices.amount - invoices.taxes') }} as net_amount,
  {{ harvest_source.money('invoices.collected') }} as collected_amount,
  {{ harvest_source.money(
    "case when invoices.state = 'closed' then invoices.amount - invoices.collected else 0 end"
  ) }} as written_off_amount,
  {{ harvest_source.money(
    "case when invoices.state = 'open' then invoices.due_amount else 0 end"
  ) }} as due_amount,
  case
    when invoices.state = 'open' and invoices.due_amount > 0 and invoices.due_date < as_of.as_of
      then cast(as_of.as_of - invoices.due_date as bigint)
  end as days_overdue,
  case
    when invoices.state = 'paid'
      then cast(coalesce(invoices.paid_date, invoices.last_paid_date) - invoices.issue_date as bigint)
  end as days_to_pay,
  invoices.estimate_id,
  invoices.retainer_id,
  invoices.recurring_invoice_id,
  invoices.subject,
  invoices.sent_at,
  invoices.closed_at,
  invoices.created_at,
  invoices.updated_at
from invoices
cross join {{ ref('int_harvest__as_of') }} as as_of
