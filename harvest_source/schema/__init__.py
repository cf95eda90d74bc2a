"""What Harvest has: endpoints, records and columns, as data. Standard library only."""
