-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('estimates__line_items', 'estimates') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'estimate_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'line_item_id') }},
  {{ harvest_source.column(found, 'kind', 'text') }},
  {{ harvest_source.column(found, 'description', 'text') }},
  {{ harvest_source.column(found, 'quantity', 'decimal') }},
  {{ harvest_source.column(found, 'unit_price', 'decimal') }},
  {{ harvest_source.column(found, 'amount', 'decimal', none, places=2) }},
  {{ harvest_source.column(found, 'taxed', 'bool') }},
  {{ harvest_source.column(found, 'taxed2', 'bool') }}
from {{ harvest_source.table_rows('estimates__line_items', found) }}
