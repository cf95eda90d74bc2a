"""How lists are read without losing a row. Knows nothing of dlt or of destinations."""
