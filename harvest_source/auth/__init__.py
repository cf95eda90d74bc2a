"""Tokens, sign-ins and the places that keep them; sessions of the accounts they reach."""
