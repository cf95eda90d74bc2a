-- Generated from the declarations: python -m tests.docs.generate
-- Decimals that the models cannot hold: rounded to their places, or null if large.
{{ harvest_source.misfits('time_entries', none, [('user_assignment__budget', 4), ('user_assignment__hourly_rate', 4), ('task_assignment__hourly_rate', 4), ('task_assignment__budget', 4), ('hours', 4), ('hours_without_timer', 4), ('rounded_hours', 4), ('billable_rate', 4), ('cost_rate', 4)]) }}
union all
{{ harvest_source.misfits('expenses', 'expenses', [('expense_category__unit_price', 4), ('user_assignment__budget', 4), ('user_assignment__hourly_rate', 4), ('units', 4), ('total_cost', 2)]) }}
union all
{{ harvest_source.misfits('projects', none, [('hourly_rate', 4), ('budget', 4), ('cost_budget', 2), ('over_budget_notification_percentage', 4), ('fee', 2)]) }}
union all
{{ harvest_source.misfits('tasks', none, [('default_hourly_rate', 4)]) }}
union all
{{ harvest_source.misfits('users', none, [('default_hourly_rate', 4), ('cost_rate', 4)]) }}
union all
{{ harvest_source.misfits('user_assignments', none, [('hourly_rate', 4), ('budget', 4)]) }}
union all
{{ harvest_source.misfits('task_assignments', none, [('hourly_rate', 4), ('budget', 4)]) }}
union all
{{ harvest_source.misfits('invoices', 'invoices', [('amount', 2), ('due_amount', 2), ('tax', 4), ('tax_amount', 2), ('tax2', 4), ('tax2_amount', 2), ('discount', 4), ('discount_amount', 2)]) }}
union all
{{ harvest_source.misfits('invoices__line_items', 'invoices', [('quantity', 4), ('unit_price', 4), ('amount', 2)]) }}
union all
{{ harvest_source.misfits('estimates', 'estimates', [('amount', 2), ('tax', 4), ('tax_amount', 2), ('tax2', 4), ('tax2_amount', 2), ('discount', 4), ('discount_amount', 2)]) }}
union all
{{ harvest_source.misfits('estimates__line_items', 'estimates', [('quantity', 4), ('unit_price', 4), ('amount', 2)]) }}
union all
{{ harvest_source.misfits('expense_categories', 'expenses', [('unit_price', 4)]) }}
union all
{{ harvest_source.misfits('invoice_payments', 'invoices', [('amount', 2)]) }}
union all
{{ harvest_source.misfits('billable_rates', none, [('amount', 4)]) }}
union all
{{ harvest_source.misfits('cost_rates', none, [('amount', 4)]) }}
