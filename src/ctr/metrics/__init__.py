"""Metrics over a whole split, exact, in float64. They know no network."""

from ctr.metrics.metric import METRICS, Metric, Predictions, Scores, Undefined, score

__all__ = ["METRICS", "Metric", "Predictions", "Scores", "Undefined", "score"]
