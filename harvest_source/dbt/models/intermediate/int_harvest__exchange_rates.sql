-- What one unit of a currency was worth in an account's currency, and from when to when. Without a
-- seed there is none, and money in different currencies is never added. A seed that does not say
-- which accounts' currency it is in holds only while all accounts have the same one.
{%- set rates = var('harvest_exchange_rates') %}
{%- if rates %}
{%- set found = adapter.get_columns_in_relation(ref(rates)) if execute else [] %}
{%- set columns = found | map(attribute='name') | map('lower') | list %}

select
  account_currency,
  currency,
  valid_from,
  lead(valid_from, 1, cast('9999-12-31' as date)) over (
    partition by account_currency, currency order by valid_from
  ) as valid_before,
  rate
from (
  select
    {% if 'account_currency' in columns -%}
    cast(account_currency as text) as account_currency,
    {%- else -%}
    (select max(currency) from {{ ref('int_harvest__accounts') }}) as account_currency,
    {%- endif %}
    cast(currency as text) as currency,
    cast(valid_from as date) as valid_from,
    cast(rate as numeric(18, 8)) as rate
  from {{ ref(rates) }}
  {%- if 'account_currency' not in columns %}
  where (select count(distinct currency) from {{ ref('int_harvest__accounts') }}) <= 1
  {%- endif %}
) as given
{%- else %}

select
  cast(null as text) as account_currency,
  cast(null as text) as currency,
  cast(null as date) as valid_from,
  cast(null as date) as valid_before,
  cast(null as numeric(18, 8)) as rate
where 1 = 0
{%- endif %}
