"""Criteo's bins: a number as the token floor(log(x)^2)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import Staged, numbers, to_numpy
from ctr.data.columns.categorical import Categorical


class SquaredLog(Categorical):
    """A number x > 2 becomes the token floor(ln(x)^2), any other one its whole part after "n"; a missing value is the
    empty token. The tokens are then a categorical field.

    The transform of the winners of Criteo's Kaggle challenge (Juan, Zhuang, Chin, 2014), which BARS uses too.
    """

    of_numbers = True

    def stage(self, cells: pa.Array) -> Staged:
        x, problems = numbers(cells)
        filled = to_numpy(x)
        logs = np.log(filled, where=filled > 2, out=np.zeros(len(filled)))
        bins = np.where(filled > 2, np.floor(logs**2), np.trunc(np.clip(filled, -(2.0**31), 2)))
        coded = pa.array(np.where(np.isfinite(bins), bins, 0).astype(np.int64) * 2 + (filled > 2)).dictionary_encode()
        names = [f"{code // 2}" if code % 2 else f"n{code // 2}" for code in coded.dictionary.to_pylist()]
        tokens = pa.DictionaryArray.from_arrays(coded.indices, pa.array(names, pa.string())).cast(pa.string())
        return Staged(pc.if_else(pc.is_null(x), "", tokens).dictionary_encode(), problems)


KIND = SquaredLog
