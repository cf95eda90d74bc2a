-- What one unit of a currency was worth in the account's currency, and from when to when. Without a
-- seed there is none, and money in different currencies is never added.
{%- set rates = var('harvest_exchange_rates') %}
{%- if rates %}

select
  cast(currency as text) as currency,
  cast(valid_from as date) as valid_from,
  lead(cast(valid_from as date), 1, cast('9999-12-31' as date)) over (
    partition by currency order by valid_from
  ) as valid_before,
  cast(rate as numeric(18, 8)) as rate
from {{ ref(rates) }}
{%- else %}

select
  cast(null as text) as currency,
  cast(null as date) as valid_from,
  cast(null as date) as valid_before,
  cast(null as numeric(18, 8)) as rate
where 1 = 0
{%- endif %}
