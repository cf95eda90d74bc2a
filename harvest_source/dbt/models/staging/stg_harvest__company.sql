-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('company') %}

select
  {{ harvest_source.column(found, 'account_id', 'bigint') }},
  {{ harvest_source.column(found, 'base_uri', 'text') }},
  {{ harvest_source.column(found, 'full_domain', 'text') }},
  {{ harvest_source.column(found, 'name', 'text') }},
  {{ harvest_source.column(found, 'is_active', 'bool') }},
  {{ harvest_source.column(found, 'week_start_day', 'text') }},
  {{ harvest_source.column(found, 'wants_timestamp_timers', 'bool') }},
  {{ harvest_source.column(found, 'time_format', 'text') }},
  {{ harvest_source.column(found, 'date_format', 'text') }},
  {{ harvest_source.column(found, 'plan_type', 'text') }},
  {{ harvest_source.column(found, 'clock', 'text') }},
  {{ harvest_source.column(found, 'currency_code_display', 'text') }},
  {{ harvest_source.column(found, 'currency_symbol_display', 'text') }},
  {{ harvest_source.column(found, 'decimal_symbol', 'text') }},
  {{ harvest_source.column(found, 'thousands_separator', 'text') }},
  {{ harvest_source.column(found, 'color_scheme', 'text') }},
  {{ harvest_source.column(found, 'weekly_capacity', 'seconds', 'weekly_capacity_hours') }},
  {{ harvest_source.column(found, 'expense_feature', 'bool') }},
  {{ harvest_source.column(found, 'invoice_feature', 'bool') }},
  {{ harvest_source.column(found, 'estimate_feature', 'bool') }},
  {{ harvest_source.column(found, 'approval_feature', 'bool') }},
  {{ harvest_source.column(found, 'team_feature', 'bool') }},
  {{ harvest_source.column(found, 'currency', 'text') }},
  {{ harvest_source.column(found, 'saml_sign_in_required', 'bool') }},
  {{ harvest_source.column(found, 'day_entry_notes_required', 'bool') }},
  {{ harvest_source.column(found, 'approval_required', 'bool') }}
from {{ harvest_source.table_rows('company', found) }}
