"""Writes a click log in the shape of Criteo's: label, I1-I13 (heavy-tailed integers, some missing), C1-C26 (8
hexadecimal digits, Zipf-distributed), as CSV with a header.

    python benchmarks/criteo_like.py /tmp/criteo_like.csv --rows 10000000

The same rows on every machine; the first million of a longer file are the file of a million.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

# Criteo's vocabularies, the large ones shrunk: 5.0 million values in all
SIZES = [1460, 583, 1_480_000, 325_000, 305, 24, 12_517, 633, 3, 93_145, 5_683, 1_220_000, 3_194, 27, 14_992, 800_000]
SIZES += [10, 5_652, 2_173, 4, 857_000, 18, 15, 80_000, 105, 97_000]
MISSING = [0.45, 0.0, 0.2, 0.2, 0.05, 0.25, 0.05, 0.0, 0.05, 0.45, 0.05, 0.78, 0.2]  # shares of I1-I13
ZIPF = 1.05
SEED = 2014
BLOCK = 100_000
COLUMNS = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]


def tokens(field: int, ranks: np.ndarray) -> np.ndarray:
    """8 hexadecimal digits for every rank of a field, as bytes."""
    mixed = (ranks.astype(np.uint64) + np.uint64(field << 32)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) >> np.uint64(32)
    digits = (mixed[:, None] >> np.arange(28, -4, -4, dtype=np.uint64)) & np.uint64(15)
    return np.frombuffer(b"0123456789abcdef", dtype=np.uint8)[digits.astype(np.intp)]


def text(digits: np.ndarray) -> pa.Array:
    count = len(digits)
    offsets = pa.py_buffer(np.arange(0, 8 * count + 1, 8, dtype=np.int32))
    return pa.Array.from_buffers(pa.string(), count, [None, offsets, pa.py_buffer(np.ascontiguousarray(digits))])


def block(number: int) -> pa.Table:
    """Rows number * BLOCK to (number + 1) * BLOCK."""
    random = np.random.default_rng([SEED, number])
    logit = np.full(BLOCK, -1.3)
    columns: list[pa.Array] = []
    for field, size in enumerate(SIZES):
        u = random.random(BLOCK)
        ranks = ((size ** (1 - ZIPF) - 1) * u + 1) ** (1 / (1 - ZIPF))  # inverse of the continuous Zipf law
        ranks = np.minimum(ranks.astype(np.int64) - 1, size - 1)
        logit += 0.25 * np.sin(ranks * (field + 1.7))
        columns.append(text(tokens(field, ranks)))
    numbers = []
    for i, share in enumerate(MISSING):
        x = np.floor(random.lognormal(1.0 + 0.2 * i, 1.2, BLOCK)).astype(np.int64) - (3 if i == 1 else 0)
        logit += 0.1 * np.log1p(np.maximum(x, 0)) - 0.2
        numbers.append(pa.array(x, mask=random.random(BLOCK) < share))
    label = pa.array((random.random(BLOCK) < 1 / (1 + np.exp(-logit))).astype(np.int64))
    return pa.table([label, *numbers, *columns], names=COLUMNS)


def write(path: Path, rows: int) -> None:
    options = csv.WriteOptions(quoting_style="none")
    partial = path.with_name(f".{path.name}.partial")
    with csv.CSVWriter(partial, block(0).schema, write_options=options) as writer:
        for number in range(-(-rows // BLOCK)):
            writer.write_table(block(number).slice(0, rows - number * BLOCK))
    partial.replace(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    arguments = parser.parse_args()
    write(arguments.path, arguments.rows)
