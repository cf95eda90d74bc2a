-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('users__access_roles') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'user_id', 'bigint') }},
  {{ harvest_source.column(found, 'value', 'text', 'access_role') }}
from {{ harvest_source.table_rows('users__access_roles', found) }}
