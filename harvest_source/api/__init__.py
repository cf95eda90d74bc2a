"""HTTP for one Harvest account: pages, counts, single objects. Knows nothing of dlt."""
