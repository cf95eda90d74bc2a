"""Cursors: where a list continues, sealed for one caller, scope and question."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from harvest_source.ask.statement_guard import StatementRefused

_DIGEST_BYTES: Final = 16
_NOT_OURS: Final = (
    "This cursor belongs to another list. Begin again without it, with the same filters and order."
)


@dataclass(frozen=True, slots=True)
class CursorSeal:
    """
    Makes and opens cursors.

    Attributes:
        key: A server's key, valid as long as the server runs. Empty where all callers can read the
            file anyway: then the seal only guards against mixing up lists.
        owner: Who asks, and in which scope.
    """

    key: bytes = b""
    owner: str = ""

    def make(self, values: Sequence[Any], question: str) -> str:
        """Make the cursor that continues after a record with *values* in the sort columns."""
        content = json.dumps(list(values), ensure_ascii=False).encode()
        sealed = self._digest(content, question) + content
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, cursor: str, question: str) -> tuple[Any, ...]:
        """
        Return the values of a cursor.

        Args:
            question: The current question: table, filters and order.

        Raises:
            StatementRefused: The cursor belongs to another caller, scope or question, or is forged.
        """
        try:
            sealed = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        except (ValueError, binascii.Error):
            sealed = b""
        digest, content = sealed[:_DIGEST_BYTES], sealed[_DIGEST_BYTES:]
        if not hmac.compare_digest(digest, self._digest(content, question)):
            raise StatementRefused(_NOT_OURS)
        return tuple(json.loads(content))

    def _digest(self, content: bytes, question: str) -> bytes:
        what = json.dumps([self.owner, question, content.decode(errors="replace")]).encode()
        return hmac.digest(self.key, what, hashlib.sha256)[:_DIGEST_BYTES]
