-- Generated from the declarations: python -m tests.docs.generate
{{ config(enabled='teammates' in var('harvest_optional_tables', [])) }}
{%- set found = harvest_source.find_columns('teammates') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'user_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'teammate_id') }},
  {{ harvest_source.column(found, 'first_name', 'text') }},
  {{ harvest_source.column(found, 'last_name', 'text') }},
  {{ harvest_source.column(found, 'email', 'text') }}
from {{ harvest_source.table_rows('teammates', found) }}
