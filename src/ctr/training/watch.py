"""Losses and gradient norms, read from the device no more often than needed: every reading waits for it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctr.errors import UserError
from ctr.training.progress import Progress


class Watch:
    """Collects what the steps gave, and looks at it every `every` steps, on a CPU at each one, before the update."""

    def __init__(self, every: int):
        self.every = every
        self.seen: list[tuple[Tensor, Tensor]] = []
        self.last_norm = math.nan

    def see(self, loss: Tensor, norm: Tensor, progress: Progress) -> None:
        """Of the step that follows the progress."""
        self.seen.append((loss, norm))
        if len(self.seen) >= self.every:
            self.read(progress, step=progress.step + 1)

    def read(self, progress: Progress, step: int | None = None) -> None:
        """Adds the losses to the progress. Raises UserError where one, or a norm, is not finite."""
        if not self.seen:
            return
        step = progress.step if step is None else step
        losses, norms = (torch.stack(values).tolist() for values in zip(*self.seen, strict=True))
        self.seen = []
        for i, (loss, norm) in enumerate(zip(losses, norms, strict=True)):
            if not math.isfinite(loss) or not math.isfinite(norm):
                raise UserError(self._message(step - len(losses) + 1 + i, loss, norm, progress))
        progress.losses = (progress.losses[0] + sum(losses), progress.losses[1] + len(losses))
        self.last_norm = norms[-1]

    def _message(self, step: int, loss: float, norm: float, progress: Progress) -> str:
        updated = "the weights were not updated" if self.every == 1 else "the weights since then are lost"
        last = f"step {progress.saved}" if progress.saved else "none yet"
        return (
            f"step {step} (epoch {progress.epoch}, batch {progress.batch}): the loss is {loss:g} and the gradient's "
            f"norm {norm:g}; {updated}. Last good checkpoint: {last}. Look for extreme values in the data, or lower "
            f"trainer.optimizer.lr"
        )
