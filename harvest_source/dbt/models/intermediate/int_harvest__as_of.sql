-- The day that everything is as of: given, or that of the last sync. Never today, so that the same
-- tables give the same models on any day.
{%- set runs = harvest_source.find_columns('sync_runs') %}
{%- set loads = harvest_source.find_columns('_dlt_loads') %}
{%- set tomorrow = (run_started_at + modules.datetime.timedelta(days=1)).strftime('%Y-%m-%d %H:%M:%S') %}

select
  {% if var('harvest_as_of') -%}
    cast('{{ var('harvest_as_of') }}' as date)
  {%- else -%}
    coalesce(
      {% if runs is not none -%}
      (
        -- A run that ended in the future counts only if there is no other: a clock was ahead.
        select cast(coalesce(
          max(case when ended_at < cast('{{ tomorrow }}' as timestamp) then ended_at end), max(ended_at)
        ) as date)
        from (
          select {{ harvest_source.naive_utc('ended_at') }} as ended_at
          from {{ harvest_source.table_rows('sync_runs', runs) }}
          where status in ('ok', 'partial')
        ) as ended
      ),
      {%- endif %}
      {% if loads is not none -%}
      -- Loaded by plain dlt, which keeps no sync_runs, or by first runs that ended early.
      (
        select cast({{ harvest_source.naive_utc('max(inserted_at)') }} as date)
        from {{ harvest_source.table_rows('_dlt_loads', loads) }}
      ),
      {%- endif %}
      cast(null as date)
    )
  {%- endif %} as as_of
