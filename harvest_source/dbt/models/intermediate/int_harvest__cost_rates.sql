-- From which day and before which day each cost rate of a person held.
select
  account_id,
  user_id,
  amount as cost_rate,
  coalesce(start_date, cast('0001-01-01' as date)) as valid_from,
  lead(start_date, 1, cast('9999-12-31' as date)) over (
    partition by account_id, user_id
    order by coalesce(start_date, cast('0001-01-01' as date)), cost_rate_id
  ) as valid_before
from {{ ref('stg_harvest__cost_rates') }}
