"""How far a training is: all that the loop has to remember besides weights, optimizer and random states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ctr.metrics import Scores


@dataclass
class Progress:
    """`epoch` and `batch` say where in the data the next step reads: the loader needs no other state."""

    epoch: int = 0  # whole epochs done
    batch: int = 0  # batches of the next epoch done
    step: int = 0  # steps in all
    examples: int = 0
    losses: tuple[float, int] = (0.0, 0)  # sum and number of the losses since the last record
    seconds: float = 0.0  # spent in `fit`, evaluations and checkpoints included
    improvements: list[bool] = field(default_factory=list)  # one for each evaluation: was it the best so far?
    saved: int | None = None  # the step of the newest checkpoint
    best_step: int | None = None
    best: Scores | None = None  # on the valid split

    @property
    def stalled(self) -> int:
        """Evaluations since the best one."""
        return next((i for i, improved in enumerate(reversed(self.improvements)) if improved), len(self.improvements))

    @property
    def mean_loss(self) -> float:
        total, count = self.losses
        return total / max(1, count)

    def advance(self, num_examples: int, batches_per_epoch: int) -> None:
        """One step further."""
        self.examples += num_examples
        self.step += 1
        self.batch += 1
        if self.batch == batches_per_epoch:
            self.epoch, self.batch = self.epoch + 1, 0

    def evaluated(self, scores: Scores, improved: bool) -> None:
        """One evaluation further."""
        self.improvements.append(improved)
        if improved:
            self.best_step, self.best = self.step, scores

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "best": self.best and self.best.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Progress:
        best = data["best"] and Scores.from_json(data["best"])
        return cls(**{**data, "best": best, "losses": tuple(data["losses"])})
