-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('estimate_item_categories', 'estimates') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'estimate_item_category_id') }},
  {{ harvest_source.column(found, 'name', 'text') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('estimate_item_categories', found) }}
