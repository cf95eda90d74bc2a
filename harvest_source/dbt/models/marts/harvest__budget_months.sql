-- Month by month: a monthly budget against the month, any other against all months so far.
with months as (
  select
    account_id,
    project_id,
    {{ harvest_source.month_of('spent_date') }} as month,
    sum(used) as spent
  from {{ ref('int_harvest__budget_use') }}
  group by account_id, project_id, {{ harvest_source.month_of('spent_date') }}
),

counted as (
  select
    budgets.account_id,
    budgets.project_id,
    months.month,
    budgets.project_name,
    budgets.client_id,
    budgets.client_name,
    budgets.currency,
    budgets.budget_by,
    budgets.unit,
    budgets.budget_is_monthly,
    budgets.budget,
    months.spent as spent_in_month,
    sum(months.spent) over (
      partition by months.account_id, months.project_id order by months.month
    ) as spent_so_far
  from {{ ref('harvest__budgets') }} as budgets
  inner join months
    on months.account_id = budgets.account_id and months.project_id = budgets.project_id
)

select
  account_id,
  project_id,
  month,
  project_name,
  client_id,
  client_name,
  currency,
  budget_by,
  unit,
  budget_is_monthly,
  budget,
  {{ harvest_source.money('spent_in_month') }} as spent_in_month,
  {{ harvest_source.money('spent_so_far') }} as spent_so_far,
  {{ harvest_source.money(
    'budget - case when budget_is_monthly then spent_in_month else spent_so_far end'
  ) }} as budget_left,
  {{ harvest_source.ratio(
    'case when budget_is_monthly then spent_in_month else spent_so_far end', 'budget'
  ) }} as spent_share_of_budget
from counted
