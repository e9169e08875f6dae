"""A finished run's predictions, row by row."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ctr.app.restore import restore
from ctr.metrics import Predictions


def predict(folder: Path, split: str = "test", trust: Sequence[str] = ()) -> Predictions:
    """What the best weights of this run predict for every row of a split, in the order of its file.

    Raises UserError where the folder holds no finished run, or its data are no longer those that it was trained on.
    """
    run = restore(folder, trust=trust)
    return run.trainer.predict(run.model, run.data, split)
