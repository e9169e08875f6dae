"""How well one column orders, or comes near, the labels."""

from __future__ import annotations

import numpy as np


def auc(scores: np.ndarray, labels: np.ndarray) -> float:
    """The chance that a positive's score exceeds a negative's; ties count one half. NaN for one class."""
    order = np.argsort(scores, kind="stable")
    scores, positive = scores[order], labels[order] > 0.5
    starts = np.flatnonzero(np.concatenate([[True], scores[1:] != scores[:-1]]))
    sizes = np.diff(starts, append=len(scores))
    ranks = np.repeat(starts + (sizes + 1) / 2, sizes)  # from 1; ties share their mean
    num_positive = int(positive.sum())
    pairs = num_positive * (len(scores) - num_positive)
    return float((ranks[positive].sum() - num_positive * (num_positive + 1) / 2) / pairs) if pairs else float("nan")


def auc_either_way(scores: np.ndarray, labels: np.ndarray) -> float:
    forward = auc(scores, labels)
    return max(forward, 1 - forward)


def r_squared(predicted: np.ndarray, labels: np.ndarray) -> float:
    """1 - squared error / variance; below 0 where the mean of these labels predicts better."""
    spread = float(np.square(labels - labels.mean(dtype=np.float64)).sum())
    return float(1 - np.square(labels - predicted).sum() / spread) if spread else float("nan")


def correlation_squared(x: np.ndarray, labels: np.ndarray) -> float:
    """R^2 of the best straight line."""
    return float(np.corrcoef(x, labels)[0, 1] ** 2) if x.std() and labels.std() else float("nan")


def standard_error(positives: int, negatives: int, auc: float = 0.75) -> float:
    """Of an AUC, by Hanley and McNeil, Radiology 143, 1982."""
    one, two = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (one - auc**2) + (negatives - 1) * (two - auc**2)
    return float(np.sqrt(spread / (positives * negatives)))
