"""From the bytes of a page to Arrow tables, without losing a digit."""
