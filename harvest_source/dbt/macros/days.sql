{% macro naive_utc(expression) %}
  {#- An instant as a timestamp without a zone, in UTC: spreadsheets refuse zones. -#}
  {{- return(adapter.dispatch('naive_utc', 'harvest_source')(expression)) -}}
{% endmacro %}

{% macro default__naive_utc(expression) -%}
  {{ expression }} at time zone 'UTC'
{%- endmacro %}

{% macro duckdb__naive_utc(expression) -%}
  {#- Without DuckDB's extension for zones, which a reader may not have. -#}
  make_timestamp(epoch_us({{ expression }}))
{%- endmacro %}


{% macro each_day(first, last) %}
  {#- In the list of a select: one row for each day, as a timestamp. -#}
  {{- return(adapter.dispatch('each_day', 'harvest_source')(first, last)) -}}
{% endmacro %}

{% macro default__each_day(first, last) -%}
  generate_series(cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day')
{%- endmacro %}

{% macro duckdb__each_day(first, last) -%}
  unnest(generate_series(
    cast({{ first }} as timestamp), cast({{ last }} as timestamp), interval '1 day'
  ))
{%- endmacro %}


{% macro earliest_day() -%}
  {#- Earlier days, such as 0201-05-06, are typing mistakes: Harvest is from 2006. -#}
  cast('2000-01-01' as date)
{%- endmacro %}


{% macro month_of(day) -%}
  cast(date_trunc('month', {{ day }}) as date)
{%- endmacro %}

{% macro month_end_of(day) -%}
  cast(date_trunc('month', {{ day }}) + interval '1 month' - interval '1 day' as date)
{%- endmacro %}

{% macro week_of(day, first_weekday) -%}
  {#- First day of the week, by the account's first weekday (1 is Monday). -#}
  {{ day }} - cast((7 + extract(isodow from {{ day }}) - {{ first_weekday }}) as integer) % 7
{%- endmacro %}

{% macro is_working_day(day) -%}
  extract(isodow from {{ day }}) in ({{ var('harvest_working_weekdays') | join(', ') }})
{%- endmacro %}

{% macro working_days_per_week() %}
  {{- var('harvest_working_weekdays') | length -}}
{% endmacro %}
