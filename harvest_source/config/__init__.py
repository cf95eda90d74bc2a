"""Settings and credentials, as dlt's configuration providers hold them."""
