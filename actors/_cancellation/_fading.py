"""A dictionary whose entries fade: each has a time to live, and there is a limit to how many are kept."""

from __future__ import annotations

from typing import Generic, TypeVar

import attrs

V = TypeVar("V")


@attrs.define(eq=False)
class Fading(Generic[V]):
    """What is put in is found for ``ttl`` seconds, or until it is crowded out.

    Two generations: when the young one is half of ``capacity`` or ``ttl`` old, it becomes the old one, and what was old is
    dropped. So a put costs one assignment, never a search, and when there is no more room the *older half* goes at once.
    Entries past their time are not found, but stay in memory until their generation is dropped.

    Args:
        ttl: seconds that an entry lives; 0 keeps nothing.
        capacity: the most entries ever held; at least 2.
    """

    ttl: float
    capacity: int = attrs.field(validator=attrs.validators.ge(2))
    _young: dict[str, tuple[float, V]] = attrs.field(factory=dict[str, "tuple[float, V]"])
    _old: dict[str, tuple[float, V]] = attrs.field(factory=dict[str, "tuple[float, V]"])
    _turn: float = 0.0

    def put(self, key: str, value: V, now: float) -> None:
        """Keep a value until ``now + ttl``."""
        young = self._young
        if now >= self._turn or (len(young) + 1) * 2 > self.capacity:
            self._old, self._young = young, {}
            young = self._young
            self._turn = now + self.ttl
        young[key] = (now + self.ttl, value)

    def get(self, key: str, now: float) -> V | None:
        """What is kept under a key, if its time is not over."""
        found = self._young.get(key) or self._old.get(key)
        return found[1] if found is not None and now < found[0] else None

    def pop(self, key: str, now: float) -> V | None:
        """Take out what ``get`` would give."""
        value = self.get(key, now)
        self._young.pop(key, None)
        self._old.pop(key, None)
        return value

    def discard(self, key: str) -> None:
        """Drop what is kept under a key, if anything."""
        self._young.pop(key, None)
        if self._old:
            self._old.pop(key, None)

    def __len__(self) -> int:
        return len(self._young) + len(self._old)
