"""Line items and charges of seeded invoices and estimates."""

from __future__ import annotations

import random
from decimal import Decimal

from harvest_source.sandbox.data import words
from harvest_source.sandbox.data.records.billing import Charges
from harvest_source.sandbox.data.values import Record, exact, money, spelled

CHARGES = (
    Charges(),
    Charges(tax=19.0),
    Charges(tax=7.7, tax2=2.5, discount=10.0),
    Charges(discount=5),
    Charges(flat_discount=Decimal("12.50")),
)


def seed_line(line_id: int, rng: random.Random) -> Record:
    """A line item of a random kind, quantity and price."""
    kind = rng.choice(("Service", "Product"))
    quantity = rng.choice((1.0, 2, 0.01, 7.25, 12.5, 40.0))
    price = rng.choice((100.0, 85.125, 0.575, 1250, 49.99))
    return {
        "id": line_id,
        "kind": kind,
        "description": rng.choice(words.LINE_TEXTS),
        "quantity": quantity,
        "unit_price": price,
        "amount": spelled(money(exact(quantity) * exact(price)), whole=line_id % 2 == 0),
        "taxed": rng.random() < 0.7,
        "taxed2": rng.random() < 0.3,
    }
