-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('expense_categories', 'expenses') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'expense_category_id') }},
  {{ harvest_source.column(found, 'name', 'text') }},
  {{ harvest_source.column(found, 'unit_name', 'text') }},
  {{ harvest_source.column(found, 'unit_price', 'decimal') }},
  {{ harvest_source.column(found, 'is_active', 'bool') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('expense_categories', found) }}
