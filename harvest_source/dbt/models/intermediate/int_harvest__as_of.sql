-- The day that everything is as of: given, or that of the last sync. Never today, so that the same
-- tables give the same models on any day.
{%- set runs = harvest_source.find_columns('sync_runs') %}
{%- set loads = harvest_source.find_columns('_dlt_loads') %}

select
  {% if var('harvest_as_of') -%}
    cast('{{ var('harvest_as_of') }}' as date)
  {%- elif runs is not none -%}
    (
      select cast({{ harvest_source.naive_utc('max(ended_at)') }} as date)
      from {{ harvest_source.table_rows('sync_runs', runs) }}
      where status in ('ok', 'partial')
    )
  {%- else -%}
    -- Loaded by plain dlt, which keeps no sync_runs.
    (
      select cast({{ harvest_source.naive_utc('max(inserted_at)') }} as date)
      from {{ harvest_source.table_rows('_dlt_loads', loads) }}
    )
  {%- endif %} as as_of
