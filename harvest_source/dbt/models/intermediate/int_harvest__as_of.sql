-- The day that everything is as of: given, or that of the last sync. Never today, so that the same
-- tables give the same models on any day.
{%- set runs = harvest_source.find_columns('sync_runs') %}
{%- set loads = harvest_source.find_columns('_dlt_loads') %}

select
  {% if var('harvest_as_of') -%}
    cast('{{ var('harvest_as_of') }}' as date)
  {%- else -%}
    coalesce(
      {% if runs is not none -%}
      (
        select cast({{ harvest_source.naive_utc('max(ended_at)') }} as date)
        from {{ harvest_source.table_rows('sync_runs', runs) }}
        where status in ('ok', 'partial')
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
