"""When a training is evaluated, saved and told of, and when it has had enough."""

from __future__ import annotations

import sys
from dataclasses import dataclass

from ctr.errors import UserError
from ctr.training.progress import Progress


class Rhythm:
    """An evaluation every epoch or every `eval_every` steps (0.25: after each quarter of an epoch), checkpoints between
    them every `save_every` steps, a record every `log_every`. The end is after `max_epochs` or `max_steps`, or after
    `patience` evaluations without a better one. Null turns a limit off."""

    def __init__(
        self,
        *,
        max_epochs: int,
        max_steps: int | None,
        patience: int | None,
        eval_every: int | float | None,
        save_every: int | None,
        log_every: int,
    ):
        self.eval_steps = eval_every if isinstance(eval_every, int) else None
        at_least_one(
            max_epochs=max_epochs,
            max_steps=max_steps,
            patience=patience,
            eval_every=self.eval_steps,
            save_every=save_every,
            log_every=log_every,
        )
        self.max_epochs, self.max_steps, self.patience = max_epochs, max_steps, patience
        self.save_every, self.log_every = save_every, log_every
        self.evals_an_epoch = _evals_an_epoch(eval_every) if isinstance(eval_every, float) else 1

    def over(self, batches: int) -> Pace:
        """With epochs of so many batches. Raises UserError where there are fewer than evaluations asked for."""
        if self.evals_an_epoch > batches:
            raise UserError(
                f"eval_every={1 / self.evals_an_epoch:.4g} asks for {self.evals_an_epoch:,} evaluations in an epoch, "
                f"which has {batches:,} batches; use a larger fraction, or a smaller batch_size"
            )
        return Pace(self, batches, min(self.max_epochs * batches, self.max_steps or sys.maxsize))


@dataclass(frozen=True)
class Pace:
    """A rhythm over epochs of `batches` batches. Each question is asked after a step."""

    rhythm: Rhythm
    batches: int
    total_steps: int

    def ended(self, progress: Progress) -> bool:
        patience = self.rhythm.patience
        return progress.step >= self.total_steps or (patience is not None and progress.stalled >= patience)

    def evaluates(self, progress: Progress) -> bool:
        """After so many steps; or after each batch that completes a further part of the epoch, the last at its end."""
        if self.rhythm.eval_steps is not None:
            due = progress.step % self.rhythm.eval_steps == 0
        else:
            due = progress.batch * self.rhythm.evals_an_epoch % self.batches < self.rhythm.evals_an_epoch
        return due or progress.step == self.total_steps

    def saves(self, progress: Progress) -> bool:
        return self.rhythm.save_every is not None and progress.step % self.rhythm.save_every == 0

    def records(self, progress: Progress) -> bool:
        return progress.step % self.rhythm.log_every == 0


def at_least_one(**counts: int | None) -> None:
    """Raises UserError for the first of these counts that is below 1; None is none."""
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UserError(f"{name} must be at least 1, found {count}")


def _evals_an_epoch(fraction: float) -> int:
    """How often an epoch is evaluated that is cut into parts of this size: 4 for 0.25, 3 for 0.333."""
    times = round(1 / fraction) if 0 < fraction <= 1 else 0
    if not times or abs(times * fraction - 1) > 0.02:
        near = "" if not times else f"; {1 / times:.4g} is near"
        raise UserError(
            f"eval_every must be a whole number of steps, or a fraction that goes into an epoch, such as 0.25 or 0.1; "
            f"found {fraction}{near}"
        )
    return times
