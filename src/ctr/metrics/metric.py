"""The table of metrics, and scores: a value, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ctr.metrics.calibration import calibration, log_loss, mae, normalized_entropy, rmse
from ctr.metrics.predictions import Predictions, Undefined
from ctr.metrics.ranking import auc, gauc, pr_auc


@dataclass(frozen=True)
class Metric:
    """A name, a function, and which way is better; None where neither is (calibration is best at 1)."""

    name: str
    function: Callable[[Predictions], float]
    higher_is_better: bool | None
    needs_classes: bool = True  # labels must lie in [0, 1]


METRICS = {
    metric.name: metric
    for metric in (
        Metric("auc", auc, True),
        Metric("gauc", gauc, True),
        Metric("pr_auc", pr_auc, True),
        Metric("log_loss", log_loss, False),
        Metric("normalized_entropy", normalized_entropy, False),
        Metric("calibration", calibration, None, needs_classes=False),
        Metric("rmse", rmse, False, needs_classes=False),
        Metric("mae", mae, False, needs_classes=False),
    )
}


@dataclass(frozen=True)
class Scores:
    """The scores of a split: values by metric, and for the metrics without one the reason."""

    values: Mapping[str, float]
    undefined: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**self.values, "undefined": dict(self.undefined)} if self.undefined else dict(self.values)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Scores:
        values = {name: value for name, value in data.items() if name != "undefined"}
        return cls(values, data.get("undefined", {}))


def score(predictions: Predictions, metrics: Iterable[Metric]) -> Scores:
    """The metrics of these predictions. No metric has a value where a prediction is not finite."""
    values, undefined = {}, {}
    bad = int((~predictions.logits.isfinite()).sum())
    classes = bool(((predictions.labels >= 0) & (predictions.labels <= 1)).all())
    for metric in metrics:
        try:
            if bad:
                raise Undefined(f"{bad:,} of {len(predictions.logits):,} predictions are not finite")
            if not predictions.weights.sum() > 0:
                raise Undefined("all weights are 0")
            if metric.needs_classes and not classes:
                raise Undefined("labels are not the classes 0 and 1")
            values[metric.name] = metric.function(predictions)
        except Undefined as reason:
            undefined[metric.name] = str(reason)
    return Scores(values, undefined)
