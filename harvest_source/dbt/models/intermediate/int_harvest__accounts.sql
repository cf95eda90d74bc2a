-- What of the account the marts need: its currency and its first day of the week, 1 is Monday.
select
  account_id,
  currency,
  case week_start_day when 'Saturday' then 6 when 'Sunday' then 7 else 1 end as first_weekday
from {{ ref('stg_harvest__company') }}
