-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('invoice_messages', 'invoices') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'invoice_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'invoice_message_id') }},
  {{ harvest_source.column(found, 'sent_by', 'text') }},
  {{ harvest_source.column(found, 'sent_by_email', 'text') }},
  {{ harvest_source.column(found, 'sent_from', 'text') }},
  {{ harvest_source.column(found, 'sent_from_email', 'text') }},
  {{ harvest_source.column(found, 'subject', 'text') }},
  {{ harvest_source.column(found, 'body', 'text') }},
  {{ harvest_source.column(found, 'include_link_to_client_invoice', 'bool') }},
  {{ harvest_source.column(found, 'attach_pdf', 'bool') }},
  {{ harvest_source.column(found, 'send_me_a_copy', 'bool') }},
  {{ harvest_source.column(found, 'thank_you', 'bool') }},
  {{ harvest_source.column(found, 'event_type', 'text') }},
  {{ harvest_source.column(found, 'reminder', 'bool') }},
  {{ harvest_source.column(found, 'send_reminder_on', 'date') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('invoice_messages', found) }}
