"""What a baseline is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ctr.batch import Batch
from ctr.schema import FeatureSchema


@dataclass(frozen=True)
class Splits:
    schema: FeatureSchema
    parts: Mapping[str, Batch]  # train, valid, test
    gain: Callable[[np.ndarray], float]  # of the logits of valid: what is chosen by, higher is better
    seed: int
    threads: int
    options: object = None  # what a learner that runs the model of a config has read of it
    say: Callable[[str], object] = lambda line: None  # what there is to tell while it trains

    def labels(self, split: str) -> np.ndarray:
        return self.parts[split].labels.numpy()

    def weights(self, split: str) -> np.ndarray | None:
        weights = self.parts[split].weights
        return None if weights is None else weights.numpy()


@dataclass(frozen=True)
class Fitted:
    target: str  # the class
    settings: Mapping[str, Any]
    logits: Mapping[str, np.ndarray]  # of valid and test
    steps: int
    parameters: int | None
    epochs: int | None = None


@dataclass(frozen=True)
class Learner:
    """`read`, of one that runs the model of a config, makes its options of the resolved config, or raises UserError, as
    `require` does where what the learner is of is not installed."""

    fit: Callable[[Splits], Fitted]
    library: str  # that it is of, by the name it is imported by
    require: Callable[[], object] = lambda: None
    read: Callable[[Mapping[str, Any]], object] | None = None
