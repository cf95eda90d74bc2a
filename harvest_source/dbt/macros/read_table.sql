{#
  Reading the tables that a sync loads. A table or column may be missing: a module is off, a column is
  excluded, only some tables are synced, or the file is older than the column. Models downstream see
  all of them, empty where there is nothing.
#}

{% macro find_columns(table, module=none) %}
  {#- Names of the columns that the table has; none if there is no such table. While dbt parses, where
      nothing can be asked, the list is empty. -#}
  {%- set found = source('harvest', table) -%}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {%- if module and not var('harvest_' ~ module) -%}{{ return(none) }}{%- endif -%}
  {%- set relation = adapter.get_relation(
        database=found.database, schema=found.schema, identifier=found.identifier) -%}
  {%- if relation is none -%}{{ return(none) }}{%- endif -%}
  {{ return(adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list) }}
{% endmacro %}


{% macro table_rows(table, found) %}
  {#- Without the database's name: DuckDB 1.x stores it in views, which then break in a copy of the file
      under another name, and in an attached one. -#}
  {%- if found is none -%}
    (select 1 as nothing where 1 = 0) as nothing
  {%- elif var('harvest_account_ids') and 'account_id' in found -%}
    (
      select * from {{ source('harvest', table).include(database=false) }}
      where account_id in ({{ var('harvest_account_ids') | join(', ') }})
    ) as of_accounts
  {%- else -%}
    {{ source('harvest', table).include(database=false) }}
  {%- endif -%}
{% endmacro %}


{% macro view_of(model) %}
  {#- A staging view, named like the tables in table_rows. -#}
  {{- ref(model).include(database=false) -}}
{% endmacro %}


{% macro column(found, name, type, alias=none, places=4) %}
  {#-
    One column as the models have it: no empty texts, instants without a zone in UTC, decimals short.
    A column that is not there is null.
  -#}
  {%- set types = {
        'bigint': 'bigint', 'text': 'text', 'json': 'text', 'bool': 'boolean', 'date': 'date',
        'timestamp': 'timestamp', 'seconds': 'numeric(18, 4)',
        'decimal': 'numeric(18, ' ~ places ~ ')' } -%}
  {%- set alias = alias or name -%}
  {%- if found is none or name not in found and execute -%}
    cast(null as {{ types[type] }}) as {{ alias }}
  {%- elif type == 'text' -%}
    nullif({{ name }}, '') as {{ alias }}
  {%- elif type == 'json' -%}
    cast({{ name }} as text) as {{ alias }}
  {%- elif type == 'timestamp' -%}
    {{ harvest_source.naive_utc(name) }} as {{ alias }}
  {%- elif type == 'seconds' -%}
    {{ harvest_source.short(name ~ ' / 3600.0', 4) }} as {{ alias }}
  {%- elif type == 'decimal' -%}
    {{ harvest_source.short(name, places) }} as {{ alias }}
  {%- else -%}
    {{ name }}{{ ' as ' ~ alias if alias != name }}
  {%- endif -%}
{% endmacro %}


{% macro person_name(found) %}
  {#- First and last name as one. -#}
  nullif(trim(
    coalesce({{ 'first_name' if found and 'first_name' in found else 'null' }}, '') || ' ' ||
    coalesce({{ 'last_name' if found and 'last_name' in found else 'null' }}, '')
  ), '') as user_name
{%- endmacro %}


{% macro misfits(table, module, columns) %}
  {#- Rows of a table in which a decimal is not what the models keep of it. -#}
  {%- set found = harvest_source.find_columns(table, module) -%}
  {%- set there = [] -%}
  {%- for name, places in columns if found and name in found -%}
    {%- do there.append((name, places)) -%}
  {%- endfor -%}
  select
  {%- if there %}
    account_id,
    id as record_id,
    cast('{{ table }}' as text) as table_name,
    cast(
      {%- for name, places in there %}
      case when {{ harvest_source.is_misfit(name, places) }} then '{{ name }} ' else '' end
      {{- ' ||' if not loop.last }}
      {%- endfor %}
    as text) as column_names
  from {{ harvest_source.table_rows(table, found) }}
  where
    {%- for name, places in there %}
    {{ harvest_source.is_misfit(name, places) }}{{ ' or' if not loop.last }}
    {%- endfor %}
  {%- else %}
    cast(null as bigint) as account_id,
    cast(null as bigint) as record_id,
    cast('{{ table }}' as text) as table_name,
    cast(null as text) as column_names
  where 1 = 0
  {%- endif %}
{%- endmacro %}
