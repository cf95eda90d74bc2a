-- The lines that a project's budget is made of: the project's own amount, or one for each task or
-- person. Those without an amount are not counted; zero is an amount.
select
  account_id,
  project_id,
  'project' as line_kind,
  cast(null as bigint) as task_id,
  cast(null as bigint) as user_id,
  cast(null as text) as line_name,
  cast(case when budget_by = 'project' then budget_hours else budget_money end as numeric(18, 4))
    as budget,
  true as is_active
from {{ ref('harvest__projects') }}
where budget_by in ('project', 'project_cost')

union all

select
  projects.account_id,
  projects.project_id,
  'task' as line_kind,
  tasks.task_id,
  cast(null as bigint) as user_id,
  tasks.task_name as line_name,
  tasks.budget,
  coalesce(tasks.is_active, true) as is_active
from {{ ref('harvest__projects') }} as projects
inner join {{ ref('stg_harvest__task_assignments') }} as tasks
  on tasks.account_id = projects.account_id and tasks.project_id = projects.project_id
where projects.budget_by in ('task', 'task_fees')

union all

select
  projects.account_id,
  projects.project_id,
  'person' as line_kind,
  cast(null as bigint) as task_id,
  people.user_id,
  people.user_name as line_name,
  people.budget,
  coalesce(people.is_active, true) as is_active
from {{ ref('harvest__projects') }} as projects
inner join {{ ref('stg_harvest__user_assignments') }} as people
  on people.account_id = projects.account_id and people.project_id = projects.project_id
where projects.budget_by = 'person'
