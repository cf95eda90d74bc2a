"""From the bytes of a page to Arrow tables, every value exact. Knows nothing of dlt."""
