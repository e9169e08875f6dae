"""Equal rows, within the splits and across them, by a hash of the encoded features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ctr.data.doctor.values import View
from ctr.data.rows import Rows
from ctr.schema import FieldKind

LIMIT = 20_000_000  # hashes in memory


@dataclass(frozen=True)
class Within:
    """Rows of a split by their equals in the same split; counts of rows."""

    rows: int
    repeats: int  # equal to an earlier row
    twins: int  # with an equal row: both of a pair count
    conflicts: int  # with an equal row of another label


@dataclass(frozen=True)
class Across:
    """Rows of a split by their equals in an earlier one; counts of rows."""

    rows: int
    found: int  # with an equal row there
    conflicts: int  # with an equal row of another label there


@dataclass(frozen=True)
class Duplicates:
    """`share` of all different rows was looked at: 1, or less where there are more than LIMIT rows."""

    share: float
    within: Mapping[str, Within]
    across: Mapping[tuple[str, str], Across]  # (test, train): rows of test that are in train


class Hashes:
    """Collects the hashes of all splits. Past LIMIT rows it keeps those below a bound: a row is kept or left out
    together with all its equals, so that shares stay true."""

    def __init__(self, views: Sequence[View], num_rows: int):
        self.views, self.share = views, min(1.0, LIMIT / num_rows)
        self.parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}

    def add(self, split: str, rows: Rows) -> None:
        hashes = hash_rows(self.views, rows)
        kept = slice(None) if self.share == 1 else hashes < np.uint64(self.share * 2.0**64)
        self.parts.setdefault(split, []).append((hashes[kept], np.array(rows.labels[kept], dtype=np.float32)))

    def count(self) -> Duplicates:
        groups = {split: _Groups(*map(np.concatenate, zip(*parts, strict=True))) for split, parts in self.parts.items()}
        names = list(groups)
        return Duplicates(
            self.share,
            {split: group.within() for split, group in groups.items()},
            {
                (later, earlier): groups[later].across(groups[earlier])
                for i, later in enumerate(names)
                for earlier in names[:i]
            },
        )


class _Groups:
    """Rows sorted into groups of equal hashes."""

    def __init__(self, hashes: np.ndarray, labels: np.ndarray):
        order = np.argsort(hashes)
        self.hashes, self.labels = hashes[order], labels[order]
        new = np.ones(len(order), dtype=bool)
        new[1:] = self.hashes[1:] != self.hashes[:-1]
        starts = np.flatnonzero(new)
        self.keys = self.hashes[starts]  # (groups,)
        self.sizes = np.diff(starts, append=len(order))
        self.low = np.minimum.reduceat(self.labels, starts) if len(starts) else self.labels
        self.high = np.maximum.reduceat(self.labels, starts) if len(starts) else self.labels

    def within(self) -> Within:
        return Within(
            len(self.hashes),
            len(self.hashes) - len(self.keys),
            int(self.sizes[self.sizes > 1].sum()),
            int(self.sizes[self.low < self.high].sum()),
        )

    def across(self, earlier: _Groups) -> Across:
        if not len(earlier.keys):
            return Across(len(self.hashes), 0, 0)
        place = np.minimum(np.searchsorted(earlier.keys, self.hashes), len(earlier.keys) - 1)
        found = earlier.keys[place] == self.hashes
        other = (earlier.low[place] != self.labels) | (earlier.high[place] != self.labels)
        return Across(len(self.hashes), int(found.sum()), int((found & other).sum()))


def hash_rows(views: Sequence[View], rows: Rows) -> np.ndarray:
    """(n,) uint64, equal for rows of equal (id, value) slots; the items of a multi-valued field in any order.

    A sum over slots of SplitMix64's finaliser (Steele, Lea, Flood, OOPSLA 2014) of id, value and place.
    """
    total = np.zeros(len(rows), dtype=np.uint64)
    for f, view in enumerate(views):
        for slot in range(view.field.num_slots):
            place = 0 if view.field.kind is FieldKind.MULTIVALUED else slot
            x = np.full(len(rows), _seed(f, place), dtype=np.uint64)
            if view.ids is not None:
                x = _mix(x ^ rows.ids[:, view.ids.start + slot].astype(np.uint64))
            if view.values is not None:
                value = np.ascontiguousarray(rows.values[:, view.values.start + slot]) + np.float32(0)  # -0 is 0
                x = _mix(x + value.view(np.uint32))
            total += x
    return _mix(total)


def _seed(field: int, place: int) -> int:
    return (field + 1) * 0x9E3779B97F4A7C15 + place * 0xD1B54A32D192ED03 & 0xFFFFFFFFFFFFFFFF


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = x ^ (x >> np.uint64(31))
    return mixed
