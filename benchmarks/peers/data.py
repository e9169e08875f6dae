"""Writes the arrays that every library is given; README.md says which.

    python benchmarks/peers/data.py OUT criteo_like --rows 1000000 --vocabulary 1000000
    python benchmarks/peers/data.py OUT frappe --root data/frappe

criteo_like: 13 numbers and 26 fields in the shape of Criteo's click log. Ids are Zipf-distributed within their field
and scattered over it, as after hashing: tables sorted by frequency would flatter caches. Labels are drawn from a
planted model, linear + FM + numbers, whose weights are hashes of the id, so that no table is stored. Needs numpy only.

frappe: the files of `python scripts/download.py frappe`, row for row, ids numbered within their field. Needs pandas.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

# Criteo's cardinalities: the small ones as they are, the large ones as shares of what is left of the vocabulary
SMALL = [3, 4, 10, 15, 18, 24, 27, 105, 305, 583, 633, 1_460, 2_173, 3_194, 5_652, 5_683, 12_517, 14_992]
LARGE = [1_480_000, 1_220_000, 857_000, 800_000, 325_000, 97_000, 93_145, 80_000]
NUMBERS = 13
ZIPF = 1.05
FACTORS = 4
BASE_RATE = 0.25
LINEAR, PAIRS, DENSE = 1.1, 0.8, 0.7  # standard deviations of the three parts of the planted logit


def cardinalities(vocabulary: int) -> list[int]:
    if vocabulary < 2 * sum(SMALL):
        raise SystemExit(f"--vocabulary is {vocabulary}; at least {2 * sum(SMALL)} is needed for fields like Criteo's")
    left = vocabulary - sum(SMALL)
    large = [left * size // sum(LARGE) for size in LARGE]
    large[0] += left - sum(large)
    return [size for pair in zip(SMALL, large, strict=False) for size in pair] + SMALL[len(LARGE) :]


def weights(ids: np.ndarray, salt: int) -> np.ndarray:
    """For every id a number of mean 0 and variance 1 that depends on nothing but id and salt (splitmix64's mixer)."""
    x = (ids.astype(np.uint64) + np.uint64(salt << 32)) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    uniform = ((x ^ (x >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) / np.float32(1 << 24)
    return (2 * uniform - 1) * np.float32(3**0.5)


def zipf(random: np.random.Generator, size: int, count: int) -> np.ndarray:
    """Ranks from 0, by the inverse of the continuous Zipf law."""
    ranks = ((size ** (1 - ZIPF) - 1) * random.random(count) + 1) ** (1 / (1 - ZIPF))
    return np.minimum(ranks.astype(np.int64) - 1, size - 1)


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float:
    ranks = np.empty(len(scores))
    ranks[np.argsort(scores)] = np.arange(1, len(scores) + 1)
    positives = labels.sum(dtype=np.float64)
    return float((ranks[labels > 0].sum() - positives * (positives + 1) / 2) / (positives * (len(labels) - positives)))


def criteo_like(out: Path, rows: int, valid: int, vocabulary: int, seed: int) -> None:
    random, count = np.random.default_rng(seed), rows + valid
    sizes = cardinalities(vocabulary)
    ids = np.empty((count, len(sizes)), dtype=np.int32)
    linear = np.zeros(count, dtype=np.float32)
    total = np.zeros((FACTORS, count), dtype=np.float32)  # sum_i v_i
    squares = np.zeros(count, dtype=np.float32)  # sum_i <v_i, v_i>
    for field, size in enumerate(sizes):  # a field at a time: at most one permutation is in memory
        column = random.permutation(np.arange(size, dtype=np.int32))[zipf(random, size, count)]
        ids[:, field] = column
        salt = (seed * len(sizes) + field) * (FACTORS + 1)
        linear += weights(column, salt)
        for factor in range(FACTORS):
            v = weights(column, salt + 1 + factor)
            total[factor] += v
            squares += v * v
    pairs = 0.5 * ((total**2).sum(0) - squares)
    dense = random.standard_normal((count, NUMBERS), dtype=np.float32)
    numbers = dense @ random.standard_normal(NUMBERS, dtype=np.float32)
    parts = [(LINEAR, linear), (PAIRS, pairs), (DENSE, numbers)]
    logit = sum(sd * (part - part.mean()) / part.std() for sd, part in parts)
    low, high = -10.0, 10.0
    while high - low > 1e-4:  # the intercept that gives the base rate
        middle = (low + high) / 2
        low, high = (middle, high) if (1 / (1 + np.exp(-logit - middle))).mean() < BASE_RATE else (low, middle)
    labels = (random.random(count) < 1 / (1 + np.exp(-logit - low))).astype(np.float32)
    auc = area_under_curve(logit, labels)
    seen = sum(len(np.unique(ids[:rows, field])) for field in range(len(sizes)))
    print(f"base rate {labels.mean():.3f}, oracle AUC {auc:.4f}; of {sum(sizes)} ids {seen} are in train")
    facts = {"seed": seed, "oracle_auc": round(auc, 4), "ids_in_train": seen}
    save(out, ids, dense, labels, {"cardinalities": sizes, "train": rows, "valid": valid, "test": 0, **facts})


def frappe(out: Path, root: Path) -> None:
    import pandas as pd

    names = ("train", "valid", "test")
    parts = [pd.read_csv(root / f"{name}.csv.gz", dtype=str, keep_default_na=False) for name in names]
    table = pd.concat(parts)
    fields = [name for name in table.columns if name != "label"]
    ids = np.stack([pd.factorize(table[name], sort=True)[0] for name in fields], axis=1).astype(np.int32)
    labels = table["label"].astype(np.float32).to_numpy()
    counts = dict(zip(names, map(len, parts), strict=True))
    sizes = (ids.max(0) + 1).tolist()
    save(out, ids, np.empty((len(ids), 0), dtype=np.float32), labels, {"cardinalities": sizes, **counts})


def save(out: Path, ids: np.ndarray, dense: np.ndarray, labels: np.ndarray, meta: dict[str, object]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, array in [("ids", ids), ("dense", dense), ("labels", labels)]:
        np.save(out / f"{name}.npy", array)
    (out / "meta.json").write_text(json.dumps(meta) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    kinds = parser.add_subparsers(dest="kind", required=True)
    made = kinds.add_parser("criteo_like")
    made.add_argument("--rows", type=int, default=1_000_000, help="of train")
    made.add_argument("--valid", type=int, default=100_000)
    made.add_argument("--vocabulary", type=int, default=1_000_000, help="ids of all fields together")
    made.add_argument("--seed", type=int, default=1)
    kinds.add_parser("frappe").add_argument("--root", type=Path, required=True)
    chosen = parser.parse_args()
    if chosen.kind == "frappe":
        frappe(chosen.out, chosen.root)
    else:
        criteo_like(chosen.out, chosen.rows, chosen.valid, chosen.vocabulary, chosen.seed)


if __name__ == "__main__":
    main()
