-- One row for each person and working day from their first entry on: to their last one if they are
-- archived, else up to the day that everything is as of. Days off with hours on them are rows without
-- capacity.
with settings as (
  select as_of from {{ ref('int_harvest__as_of') }}
),

logged as (
  select
    entries.account_id,
    entries.user_id,
    entries.spent_date as day,
    max(entries.person_name) as person_name,
    sum({{ harvest_source.logged_hours('entries.') }}) as total_hours,
    sum(case when entries.is_billable then {{ harvest_source.logged_hours('entries.') }} else 0 end)
      as billable_hours,
    sum(case when entries.is_time_off then {{ harvest_source.logged_hours('entries.') }} else 0 end)
      as time_off_hours,
    -- A task may be in both lists: its hours are off once.
    sum(case
      when entries.is_holiday and not entries.is_time_off
        then {{ harvest_source.logged_hours('entries.') }}
      else 0
    end) as holiday_hours
  from {{ ref('harvest__time_entries') }} as entries
  where entries.spent_date <= (select as_of from settings)
  group by entries.account_id, entries.user_id, entries.spent_date
),

people as (
  select
    spans.account_id,
    spans.user_id,
    coalesce(people.user_name, spans.person_name) as person_name,
    coalesce(people.is_contractor, false) as is_contractor,
    -- A person who is no longer among the users has left. If the column is excluded, all are active.
    people.user_id is null or not coalesce(people.is_active, true) as is_archived,
    people.weekly_capacity_hours,
    spans.first_day,
    case
      when people.user_id is null or not coalesce(people.is_active, true) then spans.last_day
      else (select as_of from settings)
    end as last_day
  from (
    select
      account_id,
      user_id,
      max(person_name) as person_name,
      -- Entries are dated 0201 by mistake, and nothing was missing since then.
      min(case when day >= {{ harvest_source.earliest_day() }} then day end) as first_day,
      max(day) as last_day
    from logged
    group by account_id, user_id
  ) as spans
  left join {{ ref('stg_harvest__users') }} as people
    on people.account_id = spans.account_id and people.user_id = spans.user_id
),

every_day as (
  select
    account_id,
    user_id,
    {{ harvest_source.each_day('first_day', 'last_day') }} as moment
  from people
),

working_days as (
  select account_id, user_id, cast(moment as date) as day
  from every_day
  where {{ harvest_source.is_working_day('moment') }}
),

days as (
  select
    coalesce(working_days.account_id, logged.account_id) as account_id,
    coalesce(working_days.user_id, logged.user_id) as user_id,
    coalesce(working_days.day, logged.day) as day,
    working_days.day is not null as is_working_day,
    logged.total_hours,
    logged.billable_hours,
    logged.time_off_hours,
    logged.holiday_hours
  from working_days
  full join logged
    on logged.account_id = working_days.account_id
    and logged.user_id = working_days.user_id
    and logged.day = working_days.day
),

-- Harvest overwrites a capacity that changes. Where the history of users is kept, the day's own
-- counts; before the first version that was seen, the first.
versions as (
  select
    account_id,
    user_id,
    weekly_capacity_hours,
    case
      when row_number() over (partition by account_id, user_id order by valid_from) = 1
        then cast('0001-01-01' as date)
      else cast(valid_from as date)
    end as valid_from,
    coalesce(
      cast(lead(valid_from) over (partition by account_id, user_id order by valid_from) as date),
      cast('9999-12-31' as date)
    ) as valid_before,
    row_number() over (partition by account_id, user_id order by valid_from desc) = 1 as is_last
  from {{ ref('stg_harvest__users_history') }}
)

select
  days.account_id,
  days.user_id,
  days.day,
  people.person_name,
  people.is_contractor,
  people.is_archived,
  days.is_working_day,
  cast(
    case
      when days.is_working_day
        then coalesce(
          -- While no history is kept, its last version grows old, and the table does not.
          case when versions.is_last then people.weekly_capacity_hours end,
          versions.weekly_capacity_hours,
          people.weekly_capacity_hours,
          0
        ) * 1.0 / {{ harvest_source.working_days_per_week() }}
      else 0
    end
  as numeric(18, 4)) as capacity_hours,
  {{ harvest_source.hours_columns('days') }}
from days
inner join people on people.account_id = days.account_id and people.user_id = days.user_id
left join versions
  on versions.account_id = days.account_id
  and versions.user_id = days.user_id
  and days.day >= versions.valid_from
  and days.day < versions.valid_before
