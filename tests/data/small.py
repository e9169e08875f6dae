"""Small tables for the tests of the preparation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ctr.batch import SPLITS, Batch
from ctr.data import Table
from ctr.data.prepared import PreparedData

HEADER = "label,row,user,item,price,tags,ts"
FIELDS: dict[str, Any] = {
    "row": {"kind": "numeric"},
    "user": "categorical",
    "item": {"kind": "categorical", "min_count": 2, "missing": ["-"]},
    "price": {"kind": "numeric", "transform": "min_max"},
    "tags": {"kind": "multivalued", "separator": "|", "pooling": "mean", "max_items": 2},
    "last": {"kind": "categorical", "column": "user", "share": "user"},
    "bucket": {"kind": "hashed", "buckets": 11, "column": "item"},
    "bin": {"kind": "quantile", "bins": 3, "column": "price"},
    "line": {"kind": "piecewise_linear", "bins": 3, "column": "price"},
    "wave": {"kind": "periodic", "frequencies": 2, "column": "price"},
    "log": {"kind": "squared_log", "column": "price"},
    "hour": {"kind": "time", "part": "hour", "column": "ts"},
}  # every kind of a table


def rows(count: int, seed: int = 0, first: int = 0) -> str:
    """Lines of the columns above. `row` is the number of the line."""
    random = np.random.default_rng(seed)
    tags = ["a", "b", "a|b", "c|a|b", "", "d"]
    items = ["x", "y", "-", "", "NA"]
    lines = [
        f"{i % 2},{first + i},u{random.integers(5)},{random.choice([*items, f'w{i}'])},"
        f"{random.choice(['', 'NA', str(random.integers(-3, 40))])},{random.choice(tags)},{1_400_000_000 + 977 * i}"
        for i in range(count)
    ]
    return "\n".join(lines) + "\n"


def keys(folder: Path, **changes: Any) -> dict[str, Any]:
    """All keys of a Table, for train.csv in this folder and a cache beside it."""
    usual = {
        "root": str(folder),
        "reader": "csv",
        "train": "train.csv",
        "valid": None,
        "test": None,
        "split": {"by": "order", "valid": 0.2, "test": 0.2},
        "label": "label",
        "labels": "binary",
        "label_values": None,
        "group": None,
        "weight": None,
        "time": None,
        "fields": FIELDS,
        "missing": ["NA"],
        "bad_rows": "refuse",
        "negatives": None,
        "window": 2**20,
        "cache": str(folder / "cache"),
        "source": "",
    }
    return usual | changes


def open_rows(folder: Path, text: str | None = None, **changes: Any) -> PreparedData:
    """A Table of these lines; what is there already without."""
    if text is not None:
        (folder / "train.csv").write_text(f"{HEADER}\n{text}")
    return Table(**keys(folder, **changes)).open()


def row_numbers(data: PreparedData, split: str) -> list[int]:
    """Which lines a split has, by the field `row`, which is the first."""
    return [int(x) for x in data.rows(split).values[:, 0]]


def same(one: Batch, other: Batch) -> bool:
    return all(
        (a is None and b is None) or (a is not None and b is not None and np.array_equal(a.numpy(), b.numpy()))
        for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


def same_data(one: PreparedData, other: PreparedData) -> bool:
    return one.schema == other.schema and all(same(one.rows(split), other.rows(split)) for split in SPLITS)
