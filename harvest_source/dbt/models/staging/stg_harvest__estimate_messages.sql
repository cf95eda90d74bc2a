-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('estimate_messages', 'estimates') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'estimate_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'estimate_message_id') }},
  {{ harvest_source.column(found, 'sent_by', 'text') }},
  {{ harvest_source.column(found, 'sent_by_email', 'text') }},
  {{ harvest_source.column(found, 'sent_from', 'text') }},
  {{ harvest_source.column(found, 'sent_from_email', 'text') }},
  {{ harvest_source.column(found, 'subject', 'text') }},
  {{ harvest_source.column(found, 'body', 'text') }},
  {{ harvest_source.column(found, 'send_me_a_copy', 'bool') }},
  {{ harvest_source.column(found, 'event_type', 'text') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('estimate_messages', found) }}
