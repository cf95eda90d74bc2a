-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('invoices__payment_options', 'invoices') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'invoice_id', 'bigint') }},
  {{ harvest_source.column(found, 'value', 'text', 'payment_option') }}
from {{ harvest_source.table_rows('invoices__payment_options', found) }}
