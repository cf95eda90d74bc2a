"""One dlt pipeline and its destination: load, read, repair, remove. Sends nothing to Harvest."""
