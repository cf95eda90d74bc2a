"""Our own SQL, as values and as text. Does not depend on dlt."""
