-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('invoices__line_items', 'invoices') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'invoice_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'line_item_id') }},
    {{ harvest_source.column(found, 'kind', 'text') }},
    {{ harvest_source.column(found, 'description', 'text') }},
    {{ harvest_source.column(found, 'quantity', 'decimal') }},
    {{ harvest_source.column(found, 'unit_price', 'decimal') }},
    {{ harvest_source.column(found, 'amount', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'taxed', 'bool') }},
    {{ harvest_source.column(found, 'taxed2', 'bool') }},
    {{ harvest_source.column(found, 'project__id', 'bigint', 'project_id') }},
    {{ harvest_source.column(found, 'project__name', 'text', 'project_name') }},
    {{ harvest_source.column(found, 'project__code', 'text', 'project_code') }}
  from {{ harvest_source.table_rows('invoices__line_items', found) }}
)

select
  records.account_id,
  records.invoice_id,
  records.line_item_id,
  records.kind,
  records.description,
  records.quantity,
  records.unit_price,
  records.amount,
  records.taxed,
  records.taxed2,
  records.project_id,
  coalesce(project_row.name, records.project_name) as project_name,
  coalesce(project_row.code, records.project_code) as project_code
from records
left join {{ harvest_source.view_of('stg_harvest__projects') }} as project_row
  on project_row.account_id = records.account_id and project_row.project_id = records.project_id
