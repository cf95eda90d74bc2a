{# Arithmetic that DuckDB and PostgreSQL do differently, in one place. #}

{% macro short(expression, places) %}
  {#- A decimal that multiplies and sums without overflow. Null when it is too large: the raw table has
      it, and harvest__data_quality counts it. -#}
  case
    when abs({{ expression }}) < {{ 10 ** (18 - places - 4) }}
      then cast({{ expression }} as numeric(18, {{ places }}))
  end
{%- endmacro %}


{% macro is_misfit(name, places) %}
  {#- Whether a raw decimal differs from what the models keep of it. -#}
  ({{ name }} is not null and {{ name }} is distinct from {{ harvest_source.short(name, places) }})
{%- endmacro %}


{% macro product(left, right) -%}
  {#- DuckDB multiplies two decimals of 18 digits in 18 digits, with the places of both, and fails if that
      is not enough: a line of 30,000,000.00 times a discount of 6,000,000.00. -#}
  cast({{ left }} as numeric(30, 4)) * {{ right }}
{%- endmacro %}


{% macro money(expression) %}
  {#- An amount of money, two places. -#}
  cast({{ expression }} as numeric(18, 2))
{%- endmacro %}


{% macro amount(expression) %}
  {#- An amount that is still to be summed, four places: hours times rate, unrounded. -#}
  cast({{ expression }} as numeric(18, 4))
{%- endmacro %}


{% macro hours_of(expression) %}
  cast({{ expression }} as numeric(18, 2))
{%- endmacro %}


{% macro ratio(part, whole) %}
  {#- A share with four places, half rounded up; null without a whole. -#}
  {{- return(adapter.dispatch('ratio', 'harvest_source')(part, whole)) -}}
{% endmacro %}

{% macro default__ratio(part, whole) -%}
  cast(round(cast({{ part }} as numeric(30, 6)) / nullif({{ whole }}, 0), 4) as numeric(18, 4))
{%- endmacro %}

{% macro duckdb__ratio(part, whole) -%}
  {#- DuckDB divides decimals as doubles, and its versions round 1.03375 differently: whole numbers. -#}
  {%- set part = 'cast(cast(' ~ part ~ ' as decimal(24, 6)) * 1000000 as hugeint)' -%}
  {%- set whole = 'cast(cast(' ~ whole ~ ' as decimal(24, 6)) * 1000000 as hugeint)' -%}
  case
    when {{ whole }} <> 0
      then cast(
        cast(
          sign({{ part }}) * sign({{ whole }})
          * ((abs({{ part }}) * 20000 + abs({{ whole }})) // (abs({{ whole }}) * 2))
        as decimal(18, 0)) * cast(0.0001 as decimal(5, 4))
      as decimal(18, 4))
  end
{%- endmacro %}


{% macro logged_hours(prefix='') %}
  {#- The hours that count where the definitions say hours: exact, or rounded by the account's rule. -#}
  {{- prefix ~ ('rounded_hours' if var('harvest_hours') == 'rounded' else 'hours') -}}
{% endmacro %}


{% macro is_in(expression, values) %}
  {#- Whether an id is in a variable's list, which may be empty. -#}
  {%- if values -%}
    coalesce({{ expression }} in ({{ values | join(', ') }}), false)
  {%- else -%}
    false
  {%- endif -%}
{% endmacro %}


{% macro project_currency(own) -%}
  {#-
    Currency in which the project's money counts, where `projects` is joined: always one for each project
    that is known, so that its fee and its drafts count once. Without the project it is *own*.
  -#}
  case when projects.project_id is null then {{ own }} else projects.currency end
{%- endmacro %}


{% macro unknown_client(own) -%}
  {#-
    *own* if the project is not known, where `projects` is joined, so that each client that its records
    name counts on its own; null for a project that is known, which has one client.
  -#}
  case when projects.project_id is null then {{ own }} end
{%- endmacro %}
