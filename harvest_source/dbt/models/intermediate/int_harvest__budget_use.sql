-- What entries and expenses use of the budgets of their projects, day by day: rounded hours, or money.
-- Harvest's option to include expenses is for a budget of the project's total fees (project_cost) only.
-- An entry whose rate is not known uses nothing of a budget in money.
with projects as (
  select
    account_id,
    project_id,
    budget_by,
    budget_includes_expenses,
    budget_by in ('project_cost', 'task_fees') as is_money
  from {{ ref('harvest__projects') }}
  where budget_by <> 'none'
)

select
  entries.account_id,
  entries.project_id,
  entries.task_id,
  entries.user_id,
  entries.spent_date,
  {{ harvest_source.amount(
    'coalesce(
      sum(case when projects.is_money then entries.standard_value else entries.rounded_hours end), 0
    )'
  ) }} as used
from {{ ref('harvest__time_entries') }} as entries
inner join projects
  on projects.account_id = entries.account_id and projects.project_id = entries.project_id
where entries.is_budgeted
group by
  entries.account_id, entries.project_id, entries.task_id, entries.user_id, entries.spent_date

union all

select
  expenses.account_id,
  expenses.project_id,
  null as task_id,
  null as user_id,
  expenses.spent_date,
  {{ harvest_source.amount('sum(expenses.total_cost)') }} as used
from {{ ref('stg_harvest__expenses') }} as expenses
inner join projects
  on projects.account_id = expenses.account_id and projects.project_id = expenses.project_id
where projects.budget_by = 'project_cost' and projects.budget_includes_expenses
group by expenses.account_id, expenses.project_id, expenses.spent_date
