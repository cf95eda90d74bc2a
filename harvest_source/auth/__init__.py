"""Who we are: tokens, and the accounts they reach. httpx, no dlt."""
