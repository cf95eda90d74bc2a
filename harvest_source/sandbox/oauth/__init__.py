"""The identity host: consent, codes, tokens and the list of accounts. No HTTP."""
