{{ harvest_source.utilization(harvest_source.month_of('days.day'), 'month') }}
