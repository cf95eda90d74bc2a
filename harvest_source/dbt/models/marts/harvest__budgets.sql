with budgets as (
  select
    account_id,
    project_id,
    -- Null when no line has an amount.
    sum(budget) as budget
  from {{ ref('int_harvest__budget_lines') }}
  where is_active
  group by account_id, project_id
),

used as (
  select
    periods.account_id,
    periods.project_id,
    sum(case
      when uses.spent_date >= periods.first_day
        and (periods.last_day is null or uses.spent_date <= periods.last_day)
        then uses.used
    end) as spent,
    sum(case
      when uses.spent_date >= periods.weeks_from and uses.spent_date < periods.weeks_before
        then uses.used
    end) / 4.0 as weekly_use
  from {{ ref('int_harvest__budget_periods') }} as periods
  inner join {{ ref('int_harvest__budget_use') }} as uses
    on uses.account_id = periods.account_id and uses.project_id = periods.project_id
  group by periods.account_id, periods.project_id
),

joined as (
  select
    projects.*,
    case when projects.budget_by in ('project_cost', 'task_fees') then 'money' else 'hours' end
      as unit,
    budgets.budget,
    coalesce(used.spent, 0) as spent,
    coalesce(used.weekly_use, 0) as weekly_use,
    periods.as_of,
    periods.last_day,
    periods.period_end
  from {{ ref('harvest__projects') }} as projects
  inner join {{ ref('int_harvest__budget_periods') }} as periods
    on periods.account_id = projects.account_id and periods.project_id = projects.project_id
  left join budgets
    on budgets.account_id = projects.account_id and budgets.project_id = projects.project_id
  left join used on used.account_id = projects.account_id and used.project_id = projects.project_id
)

select
  account_id,
  project_id,
  project_name,
  client_id,
  client_name,
  currency,
  is_archived,
  budget_by,
  unit,
  budget_is_monthly,
  {{ harvest_source.budget_columns() }}
from joined
