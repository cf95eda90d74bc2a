-- Generated from the declarations: python -m tests.docs.generate
{%- set found = harvest_source.find_columns('contacts') %}

with records as (
  select
    {{ harvest_source.column(found, 'account_id', 'bigint') }},
    {{ harvest_source.column(found, 'id', 'bigint', 'contact_id') }},
    {{ harvest_source.column(found, 'client__id', 'bigint', 'client_id') }},
    {{ harvest_source.column(found, 'client__name', 'text', 'client_name') }},
    {{ harvest_source.column(found, 'title', 'text') }},
    {{ harvest_source.column(found, 'first_name', 'text') }},
    {{ harvest_source.column(found, 'last_name', 'text') }},
    {{ harvest_source.column(found, 'email', 'text') }},
    {{ harvest_source.column(found, 'phone_office', 'text') }},
    {{ harvest_source.column(found, 'phone_mobile', 'text') }},
    {{ harvest_source.column(found, 'fax', 'text') }},
    {{ harvest_source.column(found, 'invoice_recipient_status', 'text') }},
    {{ harvest_source.column(found, 'created_at', 'timestamp') }},
    {{ harvest_source.column(found, 'updated_at', 'timestamp') }}
  from {{ harvest_source.table_rows('contacts', found) }}
)

select
  records.account_id,
  records.contact_id,
  records.client_id,
  coalesce(client_row.name, records.client_name) as client_name,
  records.title,
  records.first_name,
  records.last_name,
  records.email,
  records.phone_office,
  records.phone_mobile,
  records.fax,
  records.invoice_recipient_status,
  records.created_at,
  records.updated_at
from records
left join {{ harvest_source.view_of('stg_harvest__clients') }} as client_row
  on client_row.account_id = records.account_id and client_row.client_id = records.client_id
