"""A plausible consultancy: people, projects, timesheets, and invoices made from them."""
