{{ config(enabled=var('harvest_invoices')) }}

-- A discount lowers every line by the same share. The lines of an invoice add up to its net amount:
-- cents that rounding leaves over go to the largest line.
with lines as (
  select
    lines.account_id,
    lines.invoice_id,
    lines.line_item_id,
    lines.kind,
    lines.description,
    lines.project_id,
    lines.project_name,
    lines.quantity,
    lines.unit_price,
    coalesce(lines.amount, 0) as amount,
    lines.taxed,
    lines.taxed2,
    sum(coalesce(lines.amount, 0)) over invoice as total,
    row_number() over (
      partition by lines.account_id, lines.invoice_id
      order by lines.amount desc nulls last, lines.line_item_id
    ) as size_rank
  from {{ ref('stg_harvest__invoices__line_items') }} as lines
  window invoice as (partition by lines.account_id, lines.invoice_id)
),

discounted as (
  select
    lines.*,
    invoices.invoice_number,
    invoices.client_id,
    invoices.client_name,
    invoices.currency,
    invoices.state,
    invoices.issue_date,
    invoices.issue_month,
    invoices.net_amount as invoice_net_amount,
    {%- set part = harvest_source.product(
      'lines.amount', 'cast(invoices.discount_amount as numeric(18, 2))'
    ) %}
    {{ harvest_source.money(
      'case when lines.total = 0 then 0 else round(' ~ part ~ ' / lines.total, 2) end'
    ) }} as share
  from lines
  inner join {{ ref('harvest__invoices') }} as invoices
    on invoices.account_id = lines.account_id and invoices.invoice_id = lines.invoice_id
),

residues as (
  select
    *,
    invoice_net_amount - sum(amount - share) over (partition by account_id, invoice_id) as residue
  from discounted
)

select
  account_id,
  invoice_id,
  line_item_id,
  invoice_number,
  client_id,
  client_name,
  project_id,
  project_name,
  currency,
  state,
  issue_date,
  issue_month,
  kind,
  description,
  quantity,
  unit_price,
  {{ harvest_source.money('amount') }} as amount,
  {{ harvest_source.money(
    'share - case when size_rank = 1 then residue else 0 end'
  ) }} as discount_amount,
  {{ harvest_source.money(
    'amount - share + case when size_rank = 1 then residue else 0 end'
  ) }} as net_amount,
  coalesce(taxed, false) as is_taxed,
  coalesce(taxed2, false) as is_taxed2
from residues
