"""Does a run end worse than its first epoch left it? Click models often do: on rare ids they learn by heart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ctr.metrics import Metric
from ctr.training.progress import Progress

ENOUGH = 0.01  # of the train loss: what it has to fall by
NOISE = 0.001  # of the valid score: what it has to get worse by
ADVICE = (
    "Click models often overfit in their second epoch, on rare ids above all. What may help: a single pass "
    "(trainer=one_pass), L2 on the embeddings (trainer.groups.embedding.l2=1e-5), a lower rate for them "
    "(trainer.groups.embedding.lr), or fewer rare ids (min_count of the fields)"
)

Records = Sequence[Mapping[str, Any]]


def warnings(records: Records, monitor: Metric, progress: Progress) -> list[str]:
    """What a stage's records give reason to warn of, with advice; empty where they give none."""
    if progress.epoch == 0:
        return []
    found = overfits(records, monitor, (progress.step - progress.batch) // progress.epoch)
    return [found] if found else []


def overfits(records: Records, monitor: Metric, steps_an_epoch: int) -> str | None:
    """The warning, where the best valid score was reached in the first epoch and has got worse by a thousandth or more
    at the end, while the train loss fell by a hundredth or more. None for a run of one epoch."""
    name = f"valid/{monitor.name}"
    valid = [(record["step"], record[name]) for record in records if name in record]
    if not valid or valid[-1][0] <= steps_an_epoch:
        return None
    better = max if monitor.higher_is_better else min
    step, best = better(valid, key=lambda point: point[1])  # the first of equals, as the trainer keeps it
    last = valid[-1][1]
    losses = _fallen(records, steps_an_epoch)
    if step > steps_an_epoch or abs(last - best) < NOISE * abs(best) or losses is None:
        return None
    before, after = losses
    return (
        f"valid {monitor.name} was best in the first epoch (step {step:,}: {best:.5f}) and ended at {last:.5f}, while "
        f"the train loss fell on from {before:.4f} to {after:.4f}. {ADVICE}"
    )


def _fallen(records: Records, steps_an_epoch: int) -> tuple[float, float] | None:
    """The train loss at the end of the first epoch and over the last one, where it has fallen.

    The first half of the first epoch is left out where it has a record of its own: a loss always falls there. For the
    same reason a third epoch has to be better than the second, if there is one.
    """
    spans = [
        (start["step"], record["step"], record["train/loss"])
        for start, record in zip([{"step": 0}, *_trained(records)], _trained(records), strict=False)
    ]
    steps = spans[-1][1] if spans else 0
    first = _mean(spans, steps_an_epoch / 2, steps_an_epoch)
    second = _mean(spans, steps_an_epoch, 2 * steps_an_epoch)
    last = _mean(spans, max(steps - steps_an_epoch, steps_an_epoch), steps)
    if first is None or last is None or last > (1 - ENOUGH) * first:
        return None
    if steps > 2 * steps_an_epoch and (second is None or last > (1 - ENOUGH) * second):
        return None
    return first, last


def _trained(records: Records) -> Records:
    return [record for record in records if "train/loss" in record]


def _mean(spans: Sequence[tuple[int, int, float]], after: float, until: float) -> float | None:
    """The mean loss of the steps after this one until that, by the records that begin and end between; of all that
    reach into them, where none does."""
    inside = [span for span in spans if after <= span[0] and span[1] <= until]
    inside = inside or [span for span in spans if span[0] < until and span[1] > after]
    steps = sum(end - start for start, end, _ in inside)
    return sum((end - start) * loss for start, end, loss in inside) / steps if steps else None
