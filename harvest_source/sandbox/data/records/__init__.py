"""Templates of single records, with every member that Harvest serves."""
