-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('roles__user_ids') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'role_id', 'bigint') }},
  {{ harvest_source.column(found, 'value', 'bigint', 'user_id') }}
from {{ harvest_source.table_rows('roles__user_ids', found) }}
