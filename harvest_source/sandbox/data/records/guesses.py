"""Members that neither the documentation nor a recording shows: only other clients mention them."""

from __future__ import annotations

from harvest_source.sandbox.data.values import Record

GUESSED: dict[str, Record] = {
    # In two Airbyte connectors (S5, S13); approval_required in one of them.
    "company": {
        "saml_sign_in_required": False,
        "day_entry_notes_required": False,
        "approval_required": True,
    },
    # Reported as seen live in 2026 by three clients (S9, S14, S17).
    "contacts": {"invoice_recipient_status": "none"},
    # In one Airbyte connector (S13), of unknown meaning.
    "expenses": {"is_explicitly_locked": False},
    "time_entries": {"is_explicitly_locked": False},
}
"""By table. Unverified against a live account: their existence, place and values."""
