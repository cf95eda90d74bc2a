select
  sync_run_id,
  started_at,
  ended_at,
  cast(extract(epoch from ended_at - started_at) as numeric(18, 1)) as seconds,
  status,
  account_ids,
  requests,
  rows_deleted,
  rows_lost,
  rows_reread,
  rows_corrected,
  case when errors in ('[]', '{}') then null else errors end as errors,
  version,
  oldest_read_at,
  cast(
    extract(epoch from started_at - lag(ended_at) over (order by started_at)) / 3600
  as numeric(18, 2)) as hours_since_previous,
  row_number() over (order by started_at desc) = 1 as is_latest
from {{ ref('stg_harvest__sync_runs') }}
