"""What the inversion cache keeps and what it lets go."""

import torch

from instructedit_models.inversion_cache import InversionCache, InversionKey


def _key(name: str) -> InversionKey:
    return InversionKey(name, "photo of a cat", 50, 1, "r")


def _stored(levels: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.full((1, 4, 5, 5), float(level)) for level in range(levels))


def test_longer_inversions_replace_shorter_ones_only() -> None:
    cache = InversionCache(10_000)
    assert cache.get(_key("a")) == ()
    cache.put(_key("a"), _stored(3))
    cache.put(_key("a"), _stored(5))
    cache.put(_key("a"), _stored(2))
    assert len(cache.get(_key("a"))) == 5 and len(cache) == 1 and cache.bytes_used == 5 * 400
    assert cache.get(_key("a")._replace(caption="photo of a dog")) == ()


def test_the_least_recently_used_make_room() -> None:
    cache = InversionCache(5 * 400)
    for name in "abc":
        cache.put(_key(name), _stored(2))
        cache.get(_key("a"))
    assert [len(cache.get(_key(name))) for name in "abc"] == [2, 0, 2]
    assert cache.bytes_used <= cache.max_bytes
    cache.put(_key("huge"), _stored(9))
    assert len(cache.get(_key("huge"))) == 0 and cache.bytes_used == 0
