{{ harvest_source.utilization('days.day', 'day') }}
