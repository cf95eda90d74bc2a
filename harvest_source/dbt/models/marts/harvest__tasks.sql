select
  account_id,
  task_id,
  name as task_name,
  not coalesce(is_active, true) as is_archived,
  coalesce(billable_by_default, false) as is_billable_by_default,
  coalesce(is_default, false) as is_added_to_new_projects,
  {{ harvest_source.is_in('task_id', var('harvest_time_off_task_ids')) }} as is_time_off,
  {{ harvest_source.is_in('task_id', var('harvest_holiday_task_ids')) }} as is_holiday,
  default_hourly_rate,
  created_at,
  updated_at
from {{ ref('stg_harvest__tasks') }}
