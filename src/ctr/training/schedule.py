"""The learning rate as a function of the progress: nothing to save, nothing to step."""

from __future__ import annotations

import math
from typing import Protocol

from ctr.errors import UserError
from ctr.training.progress import Progress


class Schedule(Protocol):
    def scale(self, progress: Progress, total_steps: int) -> float:
        """The factor on every group's learning rate for the next step."""
        ...


class Constant:
    """The learning rate as given."""

    def scale(self, progress: Progress, total_steps: int) -> float:
        return 1.0


class Plateau:
    """The rate times `factor` whenever `patience` evaluations in a row were no improvement, down to `min_scale`.

    BARS trains with factor 0.1 and patience 1, from 1e-3 down to 1e-6.
    """

    def __init__(self, *, factor: float, patience: int, min_scale: float):
        if not 0 < factor < 1 or patience < 1 or not 0 <= min_scale <= 1:
            raise UserError(
                f"plateau needs 0 < factor < 1, patience >= 1 and min_scale in [0, 1], found {factor}, {patience} "
                f"and {min_scale}"
            )
        self.factor, self.patience, self.min_scale = factor, patience, min_scale

    def scale(self, progress: Progress, total_steps: int) -> float:
        drops = stalled = 0
        for improved in progress.improvements:
            stalled = 0 if improved else stalled + 1
            if stalled == self.patience:
                drops, stalled = drops + 1, 0
        return max(self.factor**drops, self.min_scale)


class Cosine:
    """A linear rise over `warmup_steps`, then half a cosine that would reach `min_scale` one step after the last."""

    def __init__(self, *, warmup_steps: int, min_scale: float):
        if warmup_steps < 0 or not 0 <= min_scale <= 1:
            raise UserError(
                f"cosine needs warmup_steps >= 0 and min_scale in [0, 1], found {warmup_steps}, {min_scale}"
            )
        self.warmup_steps, self.min_scale = warmup_steps, min_scale

    def scale(self, progress: Progress, total_steps: int) -> float:
        if progress.step < self.warmup_steps:
            return (progress.step + 1) / self.warmup_steps
        done = (progress.step - self.warmup_steps) / max(1, total_steps - self.warmup_steps)
        return self.min_scale + (1 - self.min_scale) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
