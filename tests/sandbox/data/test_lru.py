"""The cache of the most recently used values."""

from __future__ import annotations

import pytest

from harvest_source.sandbox.data.lru import LruCache


@pytest.mark.parametrize("use", ["get", "put"])
def test_what_was_used_last_stays(use: str) -> None:
    """Reading and replacing a value are uses: the least recently used value is dropped first."""
    cache: LruCache[int] = LruCache(2)
    cache.put("a", 1)
    cache.put("b", 2)
    if use == "get":
        cache.get("a")
    else:
        cache.put("a", 1)
    cache.put("c", 3)
    assert [cache.get(key) for key in "abc"] == [1, None, 3]
