with used as (
  select
    lines.account_id,
    lines.project_id,
    lines.line_kind,
    lines.task_id,
    lines.user_id,
    lines.line_name,
    lines.is_active,
    lines.budget,
    periods.as_of,
    periods.last_day,
    periods.period_end,
    coalesce(sum(case
      when uses.spent_date >= periods.first_day
        and (periods.last_day is null or uses.spent_date <= periods.last_day)
        then uses.used
    end), 0) as spent,
    coalesce(sum(case
      when uses.spent_date >= periods.weeks_from and uses.spent_date < periods.weeks_before
        then uses.used
    end), 0) / 4.0 as weekly_use
  from {{ ref('int_harvest__budget_lines') }} as lines
  inner join {{ ref('int_harvest__budget_periods') }} as periods
    on periods.account_id = lines.account_id and periods.project_id = lines.project_id
  left join {{ ref('int_harvest__budget_use') }} as uses
    on uses.account_id = lines.account_id
    and uses.project_id = lines.project_id
    and (lines.task_id is null or uses.task_id = lines.task_id)
    and (lines.user_id is null or uses.user_id = lines.user_id)
  group by
    lines.account_id, lines.project_id, lines.line_kind, lines.task_id, lines.user_id,
    lines.line_name, lines.is_active, lines.budget, periods.as_of, periods.last_day,
    periods.period_end
),

joined as (
  select
    used.*,
    projects.project_name,
    projects.client_id,
    projects.client_name,
    projects.currency,
    projects.is_archived,
    projects.budget_by,
    projects.budget_is_monthly,
    case when projects.budget_by in ('project_cost', 'task_fees') then 'money' else 'hours' end
      as unit
  from used
  inner join {{ ref('harvest__projects') }} as projects
    on projects.account_id = used.account_id and projects.project_id = used.project_id
)

select
  account_id,
  project_id,
  line_kind,
  task_id,
  user_id,
  line_name,
  project_name,
  client_id,
  client_name,
  currency,
  is_archived,
  is_active as is_line_active,
  budget is not null as is_counted,
  budget_by,
  unit,
  budget_is_monthly,
  {{ harvest_source.budget_columns() }}
from joined
