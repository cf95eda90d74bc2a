-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('invoices', 'invoices') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'invoice_id') }},
    {{ harvest_source.column(found, 'client__id', 'bigint', 'client_id') }},
    {{ harvest_source.column(found, 'client__name', 'text', 'client_name') }},
    {{ harvest_source.column(found, 'estimate__id', 'bigint', 'estimate_id') }},
    {{ harvest_source.column(found, 'retainer__id', 'bigint', 'retainer_id') }},
    {{ harvest_source.column(found, 'creator__id', 'bigint', 'creator_id') }},
    {{ harvest_source.column(found, 'creator__name', 'text', 'creator_name') }},
    {{ harvest_source.column(found, 'number', 'text') }},
    {{ harvest_source.column(found, 'purchase_order', 'text') }},
    {{ harvest_source.column(found, 'amount', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'due_amount', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'tax', 'decimal') }},
    {{ harvest_source.column(found, 'tax_amount', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'tax2', 'decimal') }},
    {{ harvest_source.column(found, 'tax2_amount', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'discount', 'decimal') }},
    {{ harvest_source.column(found, 'discount_amount', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'subject', 'text') }},
    {{ harvest_source.column(found, 'notes', 'text') }},
    {{ harvest_source.column(found, 'currency', 'text') }},
    {{ harvest_source.column(found, 'state', 'text') }},
    {{ harvest_source.column(found, 'period_start', 'date') }},
    {{ harvest_source.column(found, 'period_end', 'date') }},
    {{ harvest_source.column(found, 'issue_date', 'date') }},
    {{ harvest_source.column(found, 'due_date', 'date') }},
    {{ harvest_source.column(found, 'payment_term', 'text') }},
    {{ harvest_source.column(found, 'sent_at', 'timestamp') }},
    {{ harvest_source.column(found, 'paid_at', 'timestamp') }},
    {{ harvest_source.column(found, 'paid_date', 'date') }},
    {{ harvest_source.column(found, 'closed_at', 'timestamp') }},
    {{ harvest_source.column(found, 'recurring_invoice_id', 'bigint') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
  from {{ harvest_source.table_rows('invoices', found) }}
)

select
  records.account_id,
  records.invoice_id,
  records.client_id,
  coalesce(client_row.name, records.client_name) as client_name,
  records.estimate_id,
  records.retainer_id,
  records.creator_id,
  coalesce(creator_row.user_name, records.creator_name) as creator_name,
  records.number,
  records.purchase_order,
  records.amount,
  records.due_amount,
  records.tax,
  records.tax_amount,
  records.tax2,
  records.tax2_amount,
  records.discount,
  records.discount_amount,
  records.subject,
  records.notes,
  records.currency,
  records.state,
  records.period_start,
  records.period_end,
  records.issue_date,
  records.due_date,
  records.payment_term,
  records.sent_at,
  records.paid_at,
  records.paid_date,
  records.closed_at,
  records.recurring_invoice_id,
  records.created_at,
  records.updated_at
from records
left join {{ harvest_source.view_of('stg_harvest__clients') }} as client_row
  on client_row.account_id = records.account_id and client_row.client_id = records.client_id
left join {{ harvest_source.view_of('stg_harvest__users') }} as creator_row
  on creator_row.account_id = records.account_id and creator_row.user_id = records.creator_id
