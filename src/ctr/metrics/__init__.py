"""Metrics over a whole split, exact, in float64. They know no network."""

from ctr.metrics.metric import METRICS, Metric, Scores, score
from ctr.metrics.predictions import Predictions, Undefined

__all__ = ["METRICS", "Metric", "Predictions", "Scores", "Undefined", "score"]
