"""Values of the configuration and the command line, as people write them."""

from __future__ import annotations

import pytest

from harvest_source.config.parse import parse_account_ids
from harvest_source.errors import ConfigError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, (1,)),
        ("1", (1,)),
        (" 1 ", (1,)),
        ("1,2", (1, 2)),
        ("1 , 2", (1, 2)),
        ("[1, 2]", (1, 2)),
        ('["1", "2"]', (1, 2)),
        ("[1]", (1,)),
        ([1, 2], (1, 2)),
        (["1", 2], (1, 2)),
        ((2, 1), (2, 1)),
        ([1, "1", 1], (1,)),
        (None, ()),
        ("9223372036854775807", (2**63 - 1,)),
        ("0001", (1,)),
    ],
)
def test_ids_are_read_as_people_write_them(value: object, expected: tuple[int, ...]) -> None:
    """In order, each once."""
    assert parse_account_ids(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        *(
            "",
            " ",
            "[]",
            ",",
            "1,",
            "1,,2",
            "12a",
            "1 2",
            "-1",
            "+1",
            "0",
            0,
            -1,
            "1.0",
            1.0,
            "1e3",
        ),
        *(
            "\u0661",
            "\u00b2",
            True,
            [],
            [[1]],
            {},
            {"1": 1},
            b"1",
            object(),
            [None],
            2**63,
            "9" * 30,
        ),
    ],
)
def test_anything_else_is_refused(value: object) -> None:
    """Early and by name: the account header would only come back as a 401."""
    with pytest.raises(ConfigError, match="account_id"):
        parse_account_ids(value)


@pytest.mark.parametrize(
    "value", ["1234567.pt.very-secret", " 1234567.pt.very-secret ", ["1234567.pt.very-secret"]]
)
def test_a_token_in_the_wrong_place_is_recognised(value: object) -> None:
    """Harvest's own samples once had the two swapped. It is not repeated."""
    with pytest.raises(ConfigError, match="account_id holds an access token") as caught:
        parse_account_ids(value)
    assert "very-secret" not in str(caught.value)


def test_another_secret_in_the_wrong_place_is_not_repeated() -> None:
    """OAuth tokens have no shape to know them by."""
    with pytest.raises(ConfigError) as caught:
        parse_account_ids("very-secret")
    assert "very-secret" not in str(caught.value)
