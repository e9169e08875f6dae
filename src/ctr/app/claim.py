"""What an experiment file says will come out, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctr.errors import UserError
from ctr.metrics import METRICS

KEYS = ("split", "metric", "low", "high", "source")


def check(claim: Mapping[str, Any] | None) -> None:
    """A claim is null or {split, metric, low, high, source}. Raises UserError for any other."""
    if claim is None:
        return
    if not isinstance(claim, Mapping) or set(claim) != set(KEYS):
        raise UserError(f"claim: expected null or the keys {', '.join(KEYS)}; found {claim}")
    numbers = all(isinstance(claim[bound], (int, float)) for bound in ("low", "high"))
    if claim["split"] not in ("valid", "test") or claim["metric"] not in METRICS or not numbers:
        raise UserError(f"claim: expected split valid or test, a known metric, low and high as numbers; found {claim}")


def verdict(claim: Mapping[str, Any] | None, scores: Mapping[str, Any]) -> str | None:
    """A sentence: the claimed band, what came out, and whether it lies inside."""
    if claim is None:
        return None
    value = scores[claim["split"]].get(claim["metric"])
    name = f"{claim['split']} {claim['metric']}"
    band = f"[{claim['low']}, {claim['high']}] ({claim['source']})"
    if value is None:
        return f"{name} was not measured; claimed {band}"
    inside = claim["low"] <= value <= claim["high"]
    return f"{name} {value:.5f} is {'inside' if inside else 'OUTSIDE'} the claimed band {band}"
