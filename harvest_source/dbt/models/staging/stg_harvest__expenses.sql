-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('expenses', 'expenses') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'expense_id') }},
    {{ harvest_source.column(found, 'client__id', 'bigint', 'client_id') }},
    {{ harvest_source.column(found, 'client__name', 'text', 'client_name') }},
    {{ harvest_source.column(found, 'client__currency', 'text', 'client_currency') }},
    {{ harvest_source.column(found, 'project__id', 'bigint', 'project_id') }},
    {{ harvest_source.column(found, 'project__name', 'text', 'project_name') }},
    {{ harvest_source.column(found, 'project__code', 'text', 'project_code') }},
    {{ harvest_source.column(found, 'expense_category__id', 'bigint', 'expense_category_id') }},
    {{ harvest_source.column(found, 'expense_category__name', 'text', 'expense_category_name') }},
    {{ harvest_source.column(found, 'expense_category__unit_price', 'decimal', 'expense_category_unit_price') }},
    {{ harvest_source.column(found, 'expense_category__unit_name', 'text', 'expense_category_unit_name') }},
    {{ harvest_source.column(found, 'user__id', 'bigint', 'user_id') }},
    {{ harvest_source.column(found, 'user__name', 'text', 'user_name') }},
    {{ harvest_source.column(found, 'user_assignment__id', 'bigint', 'user_assignment_id') }},
    {{ harvest_source.column(found, 'receipt__url', 'text', 'receipt_url') }},
    {{ harvest_source.column(found, 'receipt__file_name', 'text', 'receipt_file_name') }},
    {{ harvest_source.column(found, 'receipt__file_size', 'bigint', 'receipt_file_size') }},
    {{ harvest_source.column(found, 'receipt__content_type', 'text', 'receipt_content_type') }},
    {{ harvest_source.column(found, 'invoice__id', 'bigint', 'invoice_id') }},
    {{ harvest_source.column(found, 'invoice__number', 'text', 'invoice_number') }},
    {{ harvest_source.column(found, 'notes', 'text') }},
    {{ harvest_source.column(found, 'units', 'decimal') }},
    {{ harvest_source.column(found, 'total_cost', 'decimal', none, places=2) }},
    {{ harvest_source.column(found, 'billable', 'bool') }},
    {{ harvest_source.column(found, 'is_closed', 'bool') }},
    {{ harvest_source.column(found, 'approval_status', 'text') }},
    {{ harvest_source.column(found, 'is_locked', 'bool') }},
    {{ harvest_source.column(found, 'is_explicitly_locked', 'bool') }},
    {{ harvest_source.column(found, 'is_billed', 'bool') }},
    {{ harvest_source.column(found, 'locked_reason', 'text') }},
    {{ harvest_source.column(found, 'spent_date', 'date') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
  from {{ harvest_source.table_rows('expenses', found) }}
)

select
  records.account_id,
  records.expense_id,
  records.client_id,
  coalesce(client_row.name, records.client_name) as client_name,
  coalesce(client_row.currency, records.client_currency) as client_currency,
  records.project_id,
  coalesce(project_row.name, records.project_name) as project_name,
  coalesce(project_row.code, records.project_code) as project_code,
  records.expense_category_id,
  coalesce(expense_category_row.name, records.expense_category_name) as expense_category_name,
  coalesce(expense_category_row.unit_price, records.expense_category_unit_price) as expense_category_unit_price,
  coalesce(expense_category_row.unit_name, records.expense_category_unit_name) as expense_category_unit_name,
  records.user_id,
  coalesce(user_row.user_name, records.user_name) as user_name,
  records.user_assignment_id,
  records.receipt_url,
  records.receipt_file_name,
  records.receipt_file_size,
  records.receipt_content_type,
  records.invoice_id,
  coalesce(invoice_row.number, records.invoice_number) as invoice_number,
  records.notes,
  records.units,
  records.total_cost,
  records.billable,
  records.is_closed,
  records.approval_status,
  records.is_locked,
  records.is_explicitly_locked,
  records.is_billed,
  records.locked_reason,
  records.spent_date,
  records.created_at,
  records.updated_at
from records
left join {{ harvest_source.view_of('stg_harvest__clients') }} as client_row
  on client_row.account_id = records.account_id and client_row.client_id = records.client_id
left join {{ harvest_source.view_of('stg_harvest__projects') }} as project_row
  on project_row.account_id = records.account_id and project_row.project_id = records.project_id
left join {{ harvest_source.view_of('stg_harvest__expense_categories') }} as expense_category_row
  on expense_category_row.account_id = records.account_id and expense_category_row.expense_category_id = records.expense_category_id
left join {{ harvest_source.view_of('stg_harvest__users') }} as user_row
  on user_row.account_id = records.account_id and user_row.user_id = records.user_id
left join {{ harvest_source.view_of('stg_harvest__invoices') }} as invoice_row
  on invoice_row.account_id = records.account_id and invoice_row.invoice_id = records.invoice_id
