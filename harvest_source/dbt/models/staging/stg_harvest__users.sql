-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('users') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'id', 'bigint', 'user_id') }},
  {{ harvest_source.column(found, 'first_name', 'text') }},
  {{ harvest_source.column(found, 'last_name', 'text') }},
  {{ harvest_source.column(found, 'email', 'text') }},
  {{ harvest_source.column(found, 'telephone', 'text') }},
  {{ harvest_source.column(found, 'timezone', 'text') }},
  {{ harvest_source.column(found, 'has_access_to_all_future_projects', 'bool') }},
  {{ harvest_source.column(found, 'is_contractor', 'bool') }},
  {{ harvest_source.column(found, 'is_active', 'bool') }},
  {{ harvest_source.column(found, 'weekly_capacity', 'seconds', 'weekly_capacity_hours') }},
  {{ harvest_source.column(found, 'default_hourly_rate', 'decimal') }},
  {{ harvest_source.column(found, 'cost_rate', 'decimal') }},
  {{ harvest_source.column(found, 'avatar_url', 'text') }},
  {{ harvest_source.column(found, 'employee_id', 'text') }},
  {{ harvest_source.column(found, 'calendar_integration_enabled', 'bool') }},
  {{ harvest_source.column(found, 'calendar_integration_source', 'text') }},
  {{ harvest_source.column(found, 'can_create_projects', 'bool') }},
  {{ harvest_source.column(found, 'created_at', 'timestamp') }},
  {{ harvest_source.column(found, 'updated_at', 'timestamp') }},
  {{ harvest_source.person_name(found) }}
from {{ harvest_source.table_rows('users', found) }}
