-- A project that is among the projects has one client; the entries of any other may name several.
select
  account_id,
  spent_date,
  user_id,
  project_id,
  task_id,
  currency,
  max(person_name) as person_name,
  client_id,
  max(client_name) as client_name,
  max(project_name) as project_name,
  max(task_name) as task_name,
  cast(count(*) as bigint) as entries,
  cast(sum({{ harvest_source.logged_hours() }}) as numeric(18, 4)) as hours,
  cast(sum(rounded_hours) as numeric(18, 4)) as rounded_hours,
  cast(sum(case when is_billable then {{ harvest_source.logged_hours() }} else 0 end) as numeric(18, 4)) as billable_hours,
  cast(sum(case when is_billable and not is_billed then rounded_hours else 0 end) as numeric(18, 4)) as unbilled_hours,
  cast(sum(billable_amount) as numeric(18, 4)) as billable_amount,
  cast(sum(standard_value) as numeric(18, 4)) as standard_value,
  cast(sum(cost) as numeric(18, 4)) as cost,
  cast(sum(case when is_billable_rate_missing then 1 else 0 end) as bigint) as entries_without_billable_rate,
  cast(sum(case when is_cost_rate_missing then 1 else 0 end) as bigint) as entries_without_cost_rate
from {{ ref('harvest__time_entries') }}
group by account_id, spent_date, user_id, client_id, project_id, task_id, currency
