"""Our own SQL, as values and as text. Knows nothing of dlt."""
