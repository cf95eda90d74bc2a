{% macro hours_columns(days) %}
  cast(coalesce({{ days }}.total_hours, 0) as numeric(18, 4)) as total_hours,
  cast(coalesce({{ days }}.billable_hours, 0) as numeric(18, 4)) as billable_hours,
  cast(coalesce({{ days }}.time_off_hours, 0) as numeric(18, 4)) as time_off_hours,
  cast(coalesce({{ days }}.holiday_hours, 0) as numeric(18, 4)) as holiday_hours
{%- endmacro %}


{% macro utilization(period, name) %}
  {#-
    The utilization of people over a period. The same hours have four shares, each named by what it is
    a share of.
  -#}
  with sums as (
    select
      days.account_id,
      days.user_id,
      {{ period }} as {{ name }},
      max(days.person_name) as person_name,
      {{ harvest_source.any_true('days.is_contractor') }} as is_contractor,
      {{ harvest_source.any_true('days.is_archived') }} as is_archived,
      sum(case when days.is_working_day then 1 else 0 end) as working_days,
      sum(days.capacity_hours) as capacity_hours,
      sum(days.time_off_hours + days.holiday_hours) as off_hours,
      sum(days.total_hours) as total_hours,
      sum(days.billable_hours) as billable_hours
    from {{ ref('int_harvest__people_days') }} as days
    left join {{ ref('int_harvest__accounts') }} as accounts on accounts.account_id = days.account_id
    group by days.account_id, days.user_id, {{ period }}
  )

  select
    account_id,
    user_id,
    {{ name }},
    person_name,
    is_contractor,
    is_archived,
    cast(working_days as bigint) as working_days,
    {{ harvest_source.hours_of('capacity_hours') }} as capacity_hours,
    {{ harvest_source.hours_of('off_hours') }} as off_hours,
    {{ harvest_source.hours_of('capacity_hours - off_hours') }} as available_hours,
    {{ harvest_source.hours_of('total_hours') }} as total_hours,
    {{ harvest_source.hours_of('total_hours - off_hours') }} as worked_hours,
    {{ harvest_source.hours_of('billable_hours') }} as billable_hours,
    {{ harvest_source.ratio('total_hours', 'capacity_hours') }} as total_share_of_capacity,
    {{ harvest_source.ratio('billable_hours', 'capacity_hours') }} as billable_share_of_capacity,
    {{ harvest_source.ratio('total_hours - off_hours', 'capacity_hours - off_hours') }}
      as worked_share_of_available,
    {{ harvest_source.ratio('billable_hours', 'capacity_hours - off_hours') }}
      as billable_share_of_available,
    {{ harvest_source.ratio('billable_hours', 'total_hours') }} as billable_share_of_total
  from sums
{% endmacro %}


{% macro any_true(expression) -%}
  max(case when {{ expression }} then 1 else 0 end) = 1
{%- endmacro %}
