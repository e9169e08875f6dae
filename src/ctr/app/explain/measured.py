"""Numbers that were measured several times, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ctr.statistics import seeds


@dataclass(frozen=True)
class Measured:
    """One number for each thing, measured `len(samples)` times: once a seed, or once a shuffle of a single run."""

    samples: np.ndarray  # (n, ...), the things along the other axes
    over: str  # what the samples are, such as "5 seeds"

    @classmethod
    def of(cls, samples: np.ndarray) -> Measured:
        """Of (runs, ..., shuffles): over the runs where there are several, else over the shuffles of the one."""
        num_runs, num_shuffles = len(samples), samples.shape[-1]
        if num_runs > 1:
            return cls(samples.mean(axis=-1), f"{num_runs} seeds")
        return cls(np.moveaxis(samples[0], -1, 0), f"{num_shuffles} shuffles of one run, not over seeds")

    @property
    def mean(self) -> np.ndarray:
        average: np.ndarray = self.samples.mean(axis=0)
        return average

    def interval(self, *thing: int) -> tuple[float, float] | None:
        """Student's 95 % interval of the mean; None where it was measured once."""
        return seeds.interval([float(sample[thing]) for sample in self.samples])

    def largest(self) -> Iterator[tuple[int, ...]]:
        """The things, the largest mean first; those that are NaN are none."""
        mean = self.mean
        for flat in np.argsort(-mean, axis=None, kind="stable"):
            thing = tuple(int(i) for i in np.unravel_index(flat, mean.shape))
            if not np.isnan(mean[thing]):
                yield thing
