"""The simulated accounts: records, how they are seeded, how edits affect other records. No HTTP."""
