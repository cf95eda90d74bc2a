-- Working days on which a person has logged nothing, up to the day that everything is as of.
select
  account_id,
  user_id,
  day,
  person_name,
  is_contractor,
  is_archived,
  {{ harvest_source.hours_of('capacity_hours') }} as capacity_hours
from {{ ref('int_harvest__people_days') }}
where is_working_day and capacity_hours > 0 and total_hours = 0
