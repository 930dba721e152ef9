"""The order of a store's line: who waits, and how many are ahead; committed, and as a transaction sees it."""

import heapq
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple


class Spot(NamedTuple):
    """One WAITING party in the order of the line."""

    order_key: int
    reception_id: str
    party_size: int
    section: str
    near_turn: bool


class LineOrder:
    """The WAITING parties of one store as committed. Order keys are unique."""

    __slots__ = ("_wishes", "keys", "keys_by_id", "spots")

    def __init__(self, spots: Iterable[Spot] = ()) -> None:
        self.spots = {spot.order_key: spot for spot in spots}
        self.keys = sorted(self.spots)
        self.keys_by_id = {spot.reception_id: spot.order_key for spot in self.spots.values()}
        self._wishes = Counter((spot.section, spot.party_size) for spot in self.spots.values())

    def put(self, spot: Spot) -> None:
        """Add a party, or change what is known of it."""
        if before := self.spots.get(spot.order_key):
            self._forget_wish(before)
        else:
            insort(self.keys, spot.order_key)
        self._wishes[spot.section, spot.party_size] += 1
        self.spots[spot.order_key] = spot
        self.keys_by_id[spot.reception_id] = spot.order_key

    def drop(self, order_key: int) -> None:
        """Take a party out."""
        spot = self.spots.pop(order_key)
        self._forget_wish(spot)
        del self.keys[bisect_left(self.keys, order_key)]
        if self.keys_by_id.get(spot.reception_id) == order_key:
            del self.keys_by_id[spot.reception_id]

    def ahead(self, order_key: int) -> int:
        """How many parties have a smaller key."""
        return bisect_left(self.keys, order_key)

    def could_use(self, party_size: int, section: str) -> bool:
        """Whether one of them could use every table that a party of this size, with this wish, could use."""
        return any(size <= party_size and wish in ("", section) for wish, size in self._wishes)

    def update(self, spots: Mapping[str, Spot | None]) -> bool:
        """Take over where parties are now, None for those out of the line. True when somebody else's place changed."""
        draft, moved = LineDraft(self), False
        # who left a place leaves it first: somebody else may have it now
        for reception_id, spot in spots.items():
            if spot is None or spot.order_key != draft.key_of(reception_id):
                moved |= draft.drop(reception_id)
        for spot in filter(None, spots.values()):
            moved |= draft.put(spot)
        draft.commit()
        return moved

    def _forget_wish(self, spot: Spot) -> None:
        wish = (spot.section, spot.party_size)
        self._wishes[wish] -= 1
        if not self._wishes[wish]:
            del self._wishes[wish]


class LineDraft:
    """The line as one transaction sees it: what is committed plus its own changes, which `commit` applies."""

    __slots__ = ("_added", "_base", "_changed", "_keys_by_id", "_removed")

    def __init__(self, base: LineOrder) -> None:
        self._base = base
        self._added: list[int] = []
        self._removed: list[int] = []
        self._changed: dict[int, Spot | None] = {}
        self._keys_by_id: dict[str, int | None] = {}

    def put(self, spot: Spot) -> bool:
        """Add a party or move it. True when somebody else's place changed by it."""
        key = self.key_of(spot.reception_id)
        if key == spot.order_key:
            self._changed[key] = spot
            return False
        if key is not None:
            self._remove(key)
        return self._add(spot) or key is not None

    def drop(self, reception_id: str) -> bool:
        """Take a party out. True when it was in."""
        key = self.key_of(reception_id)
        if key is None:
            return False
        self._remove(key)
        self._keys_by_id[reception_id] = None
        return True

    def key_of(self, reception_id: str) -> int | None:
        """The order key of a party, None when it does not wait."""
        if reception_id in self._keys_by_id:
            return self._keys_by_id[reception_id]
        return self._base.keys_by_id.get(reception_id)

    def ahead(self, order_key: int) -> int:
        """How many parties have a smaller key."""
        return self._base.ahead(order_key) + bisect_left(self._added, order_key) - bisect_left(self._removed, order_key)

    def taken(self, order_key: int) -> bool:
        """Whether a waiting party has this key."""
        if order_key in self._changed:
            return self._changed[order_key] is not None
        return order_key in self._base.spots

    def behind(self, order_key: int) -> Iterator[Spot]:
        """The parties with greater keys, in order."""
        committed = self._from(self._base.keys, order_key)
        for key in heapq.merge(committed, self._from(self._added, order_key)):
            spot = self._changed[key] if key in self._changed else self._base.spots[key]
            if spot is not None:
                yield spot

    def commit(self) -> LineOrder:
        """Make the changes part of what is committed, which it gives."""
        for key in self._changed.keys() & self._base.spots.keys():
            self._base.drop(key)
        for spot in self._changed.values():
            if spot is not None:
                self._base.put(spot)
        return self._base

    def _add(self, spot: Spot) -> bool:
        key = spot.order_key
        keys, added = self._base.keys, self._added
        last = not (added and added[-1] > key) and not (keys and keys[-1] > key)
        if key in self._base.spots:
            del self._removed[bisect_left(self._removed, key)]
        else:
            insort(added, key)
        self._changed[key] = spot
        self._keys_by_id[spot.reception_id] = key
        return not last

    def _remove(self, key: int) -> None:
        if key in self._base.spots:
            insort(self._removed, key)
        else:
            del self._added[bisect_left(self._added, key)]
        self._changed[key] = None

    @staticmethod
    def _from(keys: list[int], order_key: int) -> Iterator[int]:
        return (keys[i] for i in range(bisect_right(keys, order_key), len(keys)))
