select
  account_id,
  client_id,
  name as client_name,
  currency,
  address,
  not coalesce(is_active, true) as is_archived,
  created_at,
  updated_at
from {{ ref('stg_harvest__clients') }}
