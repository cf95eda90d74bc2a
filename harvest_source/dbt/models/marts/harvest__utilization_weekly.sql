{{ harvest_source.utilization(
  harvest_source.week_of('days.day', 'coalesce(accounts.first_weekday, 1)'), 'week_start'
) }}
