"""The reports, computed from the account's rows."""
