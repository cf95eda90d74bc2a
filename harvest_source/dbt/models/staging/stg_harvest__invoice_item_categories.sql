-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('invoice_item_categories', 'invoices') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'invoice_item_category_id') }},
  {{ harvest_source.column(found, 'name', 'text') }},
  {{ harvest_source.column(found, 'use_as_service', 'bool') }},
  {{ harvest_source.column(found, 'use_as_expense', 'bool') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('invoice_item_categories', found) }}
