"""Which fields tell of others, so that shuffling one of them alone understates it."""

from __future__ import annotations

import itertools

import numpy as np

from ctr.app.explain.sample import Sample, order_of
from ctr.batch import Batch
from ctr.schema import FeatureSchema, FieldKind

BINS = 20  # of a number
TELLS = 0.5  # share of a field's entropy from which on another field is said to tell of it


def told_by_others(sample: Sample, seed: int) -> list[tuple[str, str, float]]:
    """(field, by, share) for all pairs in which `by` tells at least TELLS of `field`: the share of its entropy that is
    gone once `by` is known, beyond what chance makes of that in so few rows, (I - I_0) / (H - I_0) with I_0 the mutual
    information of the field with `by` shuffled. Where chance makes nearly all of it nothing is said. The strongest
    first."""
    names = [field.name for field in sample.schema.fields]
    batch = sample.rows.batch(slice(None))
    codes = [_codes(sample.schema, batch, f) for f in range(len(names))]
    entropies = [_entropy(code) for code in codes]
    found = []
    for f, g in itertools.combinations(range(len(names)), 2):
        shared = entropies[f] + entropies[g] - _entropy(_joint(codes[f], codes[g]))
        shuffled = codes[g][order_of(seed, g, 0, len(sample))]
        chance = entropies[f] + entropies[g] - _entropy(_joint(codes[f], shuffled))
        for of, by in ((f, g), (g, f)):
            left = entropies[of] - chance
            if left > 0.05 * entropies[of] and (share := (shared - chance) / left) >= TELLS:
                found.append((names[of], names[by], share))
    return sorted(found, key=lambda one: -one[2])


def _codes(schema: FeatureSchema, batch: Batch, field: int) -> np.ndarray:
    """(N,) equal numbers for rows in which the field says the same; a number's value by its bin."""
    slots = list(schema.slots([schema.fields[field].name]))
    ids, values = batch.ids[:, slots].numpy(), batch.values[:, slots].numpy()
    if schema.fields[field].kind is FieldKind.NUMERIC:
        edges = np.unique(np.quantile(values[:, 0], np.linspace(0, 1, BINS + 1)[1:-1]))
        ids, values = np.searchsorted(edges, values[:, :1], side="right"), np.ones_like(values[:, :1])
    said = np.concatenate([np.where(values != 0, ids, -1), values], axis=1)
    codes: np.ndarray = np.unique(said, axis=0, return_inverse=True)[1].reshape(-1)
    return codes


def _joint(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    pairs: np.ndarray = one.astype(np.int64) * (int(other.max()) + 1) + other
    return pairs


def _entropy(codes: np.ndarray) -> float:
    shares = np.unique(codes, return_counts=True)[1] / len(codes)
    return float(-(shares * np.log(shares)).sum())
