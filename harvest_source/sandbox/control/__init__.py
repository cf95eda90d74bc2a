"""What tests do to a running sandbox: edit records, inject faults, change roles, watch requests."""
