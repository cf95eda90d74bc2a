{{ config(enabled=var('harvest_invoices')) }}

-- What an invoice bills of each project, and what was collected of it. Payments are cash, taxes
-- included; they go to projects as their net amounts do. Cents left over go to the largest.
with projects as (
  select
    account_id,
    invoice_id,
    project_id,
    max(project_name) as project_name,
    sum(net_amount) as net_amount
  from {{ ref('harvest__invoice_lines') }}
  group by account_id, invoice_id, project_id
),

shares as (
  select
    invoices.account_id,
    invoices.invoice_id,
    projects.project_id,
    projects.project_name,
    coalesce(projects.net_amount, invoices.net_amount) as net_amount,
    invoices.net_amount as invoice_net_amount,
    row_number() over (
      partition by invoices.account_id, invoices.invoice_id
      order by projects.net_amount desc nulls last, projects.project_id
    ) as size_rank
  from {{ ref('harvest__invoices') }} as invoices
  left join projects
    on projects.account_id = invoices.account_id and projects.invoice_id = invoices.invoice_id
)

select
  account_id,
  invoice_id,
  project_id,
  project_name,
  {{ harvest_source.money('net_amount') }} as net_amount,
  case
    when invoice_net_amount = 0 then case when size_rank = 1 then 1.0 else 0.0 end
    else net_amount * 1.0 / invoice_net_amount
  end as share,
  size_rank
from shares
