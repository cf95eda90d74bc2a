-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('invoice_messages__recipients', 'invoices') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'invoice_id', 'bigint') }},
  {{ harvest_source.column(found, 'invoice_message_id', 'bigint') }},
  {{ harvest_source.column(found, 'name', 'text') }},
  {{ harvest_source.column(found, 'email', 'text') }}
from {{ harvest_source.table_rows('invoice_messages__recipients', found) }}
