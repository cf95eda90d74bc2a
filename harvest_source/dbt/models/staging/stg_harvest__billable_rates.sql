-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('billable_rates') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'user_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'billable_rate_id') }},
  {{ harvest_source.column(found, 'amount', 'decimal') }},
  {{ harvest_source.column(found, 'start_date', 'date') }},
  {{ harvest_source.column(found, 'end_date', 'date') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
from {{ harvest_source.table_rows('billable_rates', found) }}
