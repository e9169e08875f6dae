"""A number's embedding as a sum of waves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import Slots, Staged, at_least, numbers, to_numpy
from ctr.data.columns.numeric import Numeric, Scale
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError
from ctr.schema import Field, FieldKind


class Periodic:
    """2 `frequencies` slots with the values sin(2 pi c_l z), cos(2 pi c_l z), a feature each; z is x standardised by
    train's mean and deviation. The c_l are drawn from N(0, `sigma`^2) by `seed`. A missing value is absent.

    Gorishniy, Rubachev and Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022,
    section 3.3, with the frequencies drawn and kept: there they are trained on from the same start.
    """

    of_numbers = True

    def __init__(self, *, frequencies: int, sigma: float = 0.1, seed: int = 0):
        at_least("frequencies", frequencies, 1)
        at_least("seed", seed, 0)
        if not isinstance(sigma, (int, float)) or not sigma > 0:
            raise UserError(f"sigma must be a number above 0, found {sigma!r}")
        self.frequencies, self.sigma, self.seed = frequencies, sigma, seed

    def stage(self, cells: pa.Array) -> Staged:
        return numbers(cells)

    def fit(self, name: str, train: Iterable[pa.Array], everything: Iterable[pa.Array]) -> FittedPeriodic:
        scale = Numeric(transform="z_score").fit(name, train, everything).scale
        drawn = np.random.default_rng(self.seed).normal(0.0, self.sigma, self.frequencies)
        return FittedPeriodic(name, scale.mean, scale.std, drawn.tolist())

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedPeriodic:
        return FittedPeriodic(name, **state)


class FittedPeriodic:
    zero = None
    vocabulary = None

    def __init__(self, name: str, mean: float, std: float, frequencies: list[float]):
        self.mean, self.std, self.frequencies = mean, std, frequencies
        slots = 2 * len(frequencies)
        self.field = Field(name, FieldKind.NUMERIC, slots, slots, repr((mean, std, frequencies)))

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        z = Scale(log=False, mean=self.mean, std=self.std)(to_numpy(staged))
        angles = 2 * np.pi * z[:, None] * np.array(self.frequencies)
        waves = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
        waves[pc.is_null(staged).to_numpy(zero_copy_only=False)] = 0.0
        return Slots(None, waves.astype(np.float32))

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean, "std": self.std, "frequencies": self.frequencies}


KIND = Periodic
