"""Which rows are train, valid and test where the files do not say: cut from the train file's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.batch import SPLITS
from ctr.data.registry import check_options
from ctr.data.vocabulary import merge
from ctr.errors import UserError, nearest

DROPPED = -1  # a row of no split


class Shares:
    """How much of the train file becomes valid and test."""

    column: str | None = None  # that decides
    by_time = False  # the dataset's time decides

    def __init__(self, valid: float, test: float):
        for name, share in (("valid", valid), ("test", test)):
            if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 <= share < 1:
                raise UserError(f"split.{name} must be a share of at least 0 and below 1, found {share!r}")
        if valid + test >= 1:
            raise UserError(f"split: valid {valid} and test {test} leave nothing to train on")
        self.valid, self.test = valid, test

    @property
    def takes_test(self) -> float:
        """Above 0 where test is cut from train's rows."""
        return self.test

    def sizes(self, count: int) -> tuple[int, int, int]:
        valid, test = round(self.valid * count), round(self.test * count)
        return count - valid - test, valid, test

    def in_order(self, count: int) -> np.ndarray:
        """(count,) int8: split numbers, train first, test last."""
        return np.repeat(np.arange(3, dtype=np.int8), self.sizes(count))


class ByOrder(Shares):
    """The last rows of the file are test, those before them valid."""

    def __init__(self, *, valid: float, test: float = 0.0):
        super().__init__(valid, test)

    def assign(self, count: int, cells: Iterable[pa.Array]) -> np.ndarray:
        return self.in_order(count)


class ByRandom(Shares):
    """Drawn by `seed`; the sizes are exact."""

    def __init__(self, *, valid: float, test: float = 0.0, seed: int = 1):
        super().__init__(valid, test)
        self.seed = seed

    def assign(self, count: int, cells: Iterable[pa.Array]) -> np.ndarray:
        drawn = self.in_order(count)
        np.random.default_rng(self.seed).shuffle(drawn)
        return drawn


class ByTime(Shares):
    """The latest rows by the dataset's `time` are test, those before them valid. Rows of one time stay together, so
    that no split looks into another's time; the shares are met as nearly as that allows."""

    by_time = True

    def __init__(self, *, valid: float, test: float = 0.0):
        super().__init__(valid, test)

    def assign(self, count: int, cells: Iterable[pa.Array]) -> np.ndarray:
        times = np.concatenate([np.zeros(0), *(array.to_numpy(zero_copy_only=False) for array in cells)])
        in_order = np.sort(times)
        train, valid, _ = self.sizes(count)
        splits = np.zeros(count, dtype=np.int8)
        for number, wanted in ((1, train), (2, train + valid)):
            if wanted < count:
                before, behind = (int(np.searchsorted(in_order, in_order[wanted], side)) for side in ("left", "right"))
                start = before if before and (wanted - before <= behind - wanted or behind == count) else behind
                splits[times >= in_order[min(start, count - 1)]] = number
        return splits


class ByGroup(Shares):
    """Drawn by `seed`, all rows of one value of `column` together: test users are then new users. The shares are of
    the groups."""

    def __init__(self, *, column: str, valid: float, test: float = 0.0, seed: int = 1):
        super().__init__(valid, test)
        self.column, self.seed = column, seed

    def assign(self, count: int, cells: Iterable[pa.Array]) -> np.ndarray:
        groups, values = numbered(cells)
        there = np.bincount(groups, minlength=values) > 0  # rows of the others were rejected
        groups, values = (there.cumsum() - 1)[groups], int(there.sum())
        drawn = self.in_order(values)
        np.random.default_rng(self.seed).shuffle(drawn)
        assigned: np.ndarray = drawn[groups]
        return assigned


class ByFold(Shares):
    """Cross-validation: the rows of fold `fold` are test. The fold of a row stands in `column`, or, with null, is drawn
    by `seed` from 1 to `folds`. `valid` is the share of the other rows that is drawn for validation."""

    def __init__(self, *, fold: int, column: str | None = None, folds: int = 5, valid: float = 0.1, seed: int = 1):
        super().__init__(valid, 0.0)
        if column is None and not 1 <= fold <= folds:
            raise UserError(f"split.fold must be one of 1 to {folds}, found {fold!r}")
        self.fold, self.column, self.folds, self.seed = fold, column, folds, seed

    @property
    def takes_test(self) -> float:
        return 1.0

    def assign(self, count: int, cells: Iterable[pa.Array]) -> np.ndarray:
        random = np.random.default_rng(self.seed)
        if self.column is None:
            folds = np.arange(count) % self.folds + 1
            random.shuffle(folds)
            test = folds == self.fold
        else:
            arrays = list(cells)
            texts = [array.cast(pa.string()) for array in arrays]
            test = np.concatenate([pc.equal(text, str(self.fold)).to_numpy(zero_copy_only=False) for text in texts])
            if not test.any():
                known = ", ".join(sorted(merge([array.dictionary for array in arrays])[0].to_pylist())[:10])
                raise UserError(f"split.fold={self.fold}: column {self.column!r} has no such fold, only {known}")
        splits = np.full(count, 2, dtype=np.int8)
        drawn = self.in_order(int((~test).sum()))
        random.shuffle(drawn)
        splits[~test] = drawn
        return splits


Split = ByOrder | ByRandom | ByTime | ByGroup | ByFold
WAYS: dict[str, Callable[..., Split]] = {
    "order": ByOrder,
    "random": ByRandom,
    "time": ByTime,
    "group": ByGroup,
    "fold": ByFold,
}


def split_recipe(spec: Mapping[str, Any] | None) -> Split | None:
    """The way that a config node describes. Raises UserError for an unknown way or option."""
    if spec is None:
        return None
    options = dict(spec)
    by = options.pop("by", None)
    if by not in WAYS:
        raise UserError(f"split.by must be one of {', '.join(WAYS)}, found {by!r}{nearest(by, WAYS)}")
    check_options(f"split by {by}", WAYS[by], options, f"by: {by}")
    for option in ("seed", "fold", "folds"):
        if not isinstance(options.get(option, 1), int) or isinstance(options.get(option), bool):
            raise UserError(f"split.{option} must be a whole number, found {options[option]!r}")
    return WAYS[by](**options)


def numbered(cells: Iterable[pa.Array]) -> tuple[np.ndarray, int]:
    """A number for every cell, equal for equal texts, and how many different ones there are."""
    arrays = list(cells)
    tokens, places = merge([array.dictionary for array in arrays])
    parts = [place[array.indices.to_numpy(zero_copy_only=False)] for place, array in zip(places, arrays, strict=True)]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts]).astype(np.int64), len(tokens)


def drop_negatives(splits: np.ndarray, labels: np.ndarray, keep: float, random: np.random.Generator) -> int:
    """Drops, in place, all negatives of train but a share `keep` of them, each drawn on its own; how many."""
    drawn = random.random(len(splits)) >= keep
    dropped = drawn & (splits == SPLITS.index("train")) & (labels == 0)
    splits[dropped] = DROPPED
    return int(dropped.sum())
