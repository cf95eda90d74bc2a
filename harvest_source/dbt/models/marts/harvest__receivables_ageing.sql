{{ config(enabled=var('harvest_invoices')) }}

-- Open invoices with an amount due, by how long they have been due.
with dues as (
  select
    account_id,
    client_id,
    client_name,
    currency,
    due_amount,
    due_date,
    case
      when days_overdue is null then 'not due'
      when days_overdue <= 30 then '1-30'
      when days_overdue <= 60 then '31-60'
      when days_overdue <= 90 then '61-90'
      else '>90'
    end as bucket
  from {{ ref('harvest__invoices') }}
  where state = 'open' and due_amount > 0
)

select
  account_id,
  client_id,
  currency,
  bucket,
  cast(case bucket
    when 'not due' then 0 when '1-30' then 1 when '31-60' then 2 when '61-90' then 3 else 4
  end as bigint) as bucket_order,
  max(client_name) as client_name,
  count(*) as invoices,
  {{ harvest_source.money('sum(due_amount)') }} as due_amount,
  min(due_date) as oldest_due_date
from dues
group by account_id, client_id, currency, bucket
