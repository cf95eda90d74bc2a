-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('estimate_messages__recipients', 'estimates') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'estimate_id', 'bigint') }},
  {{ harvest_source.column(found, 'estimate_message_id', 'bigint') }},
  {{ harvest_source.column(found, 'name', 'text') }},
  {{ harvest_source.column(found, 'email', 'text') }}
from {{ harvest_source.table_rows('estimate_messages__recipients', found) }}
