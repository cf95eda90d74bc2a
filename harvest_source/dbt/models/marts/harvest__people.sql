with roles as (
  select account_id, user_id, string_agg(role, ', ' order by role) as roles
  from {{ ref('stg_harvest__users__roles') }}
  group by account_id, user_id
),

access_roles as (
  select account_id, user_id, string_agg(access_role, ', ' order by access_role) as access_roles
  from {{ ref('stg_harvest__users__access_roles') }}
  group by account_id, user_id
),

worked as (
  select
    account_id,
    user_id,
    min(spent_date) as first_entry_date,
    max(spent_date) as last_entry_date
  from {{ ref('stg_harvest__time_entries') }}
  where spent_date <= (select as_of from {{ ref('int_harvest__as_of') }})
  group by account_id, user_id
)

select
  users.account_id,
  users.user_id,
  users.user_name as person_name,
  users.email,
  users.employee_id,
  not coalesce(users.is_active, true) as is_archived,
  coalesce(users.is_contractor, false) as is_contractor,
  roles.roles,
  access_roles.access_roles,
  users.weekly_capacity_hours,
  users.default_hourly_rate,
  users.cost_rate,
  worked.first_entry_date,
  worked.last_entry_date,
  users.created_at,
  users.updated_at
from {{ ref('stg_harvest__users') }} as users
left join roles on roles.account_id = users.account_id and roles.user_id = users.user_id
left join access_roles
  on access_roles.account_id = users.account_id and access_roles.user_id = users.user_id
left join worked on worked.account_id = users.account_id and worked.user_id = users.user_id
