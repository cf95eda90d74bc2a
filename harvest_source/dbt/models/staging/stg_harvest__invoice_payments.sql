-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('invoice_payments', 'invoices') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'invoice_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'invoice_payment_id') }},
  {{ harvest_source.column(found, 'amount', 'decimal', none, places=2) }},
  {{ harvest_source.column(found, 'paid_at', 'timestamp') }},
  {{ harvest_source.column(found, 'paid_date', 'date') }},
  {{ harvest_source.column(found, 'recorded_by', 'text') }},
  {{ harvest_source.column(found, 'recorded_by_email', 'text') }},
  {{ harvest_source.column(found, 'notes', 'text') }},
  {{ harvest_source.column(found, 'transaction_id', 'text') }},
  {{ harvest_source.column(found, 'payment_gateway__id', 'bigint', 'payment_gateway_id') }},
  {{ harvest_source.column(found, 'payment_gateway__name', 'text', 'payment_gateway_name') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('invoice_payments', found) }}
