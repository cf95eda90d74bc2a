-- The days that the budget of a project is for, and the last four full weeks.
select
  projects.account_id,
  projects.project_id,
  as_of.as_of,
  -- A monthly budget begins anew each month.
  case
    when projects.budget_is_monthly then {{ harvest_source.month_of('as_of.as_of') }}
    else cast('0001-01-01' as date)
  end as first_day,
  case
    when projects.budget_is_monthly then {{ harvest_source.month_end_of('as_of.as_of') }}
  end as last_day,
  case
    when projects.budget_is_monthly then {{ harvest_source.month_end_of('as_of.as_of') }}
    else projects.ends_on
  end as period_end,
  {{ harvest_source.week_of('as_of.as_of', 'coalesce(accounts.first_weekday, 1)') }} - 28
    as weeks_from,
  {{ harvest_source.week_of('as_of.as_of', 'coalesce(accounts.first_weekday, 1)') }} as weeks_before
from {{ ref('harvest__projects') }} as projects
cross join {{ ref('int_harvest__as_of') }} as as_of
left join {{ ref('int_harvest__accounts') }} as accounts on accounts.account_id = projects.account_id
where projects.budget_by <> 'none'
