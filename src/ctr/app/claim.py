"""What an experiment file says will come out, and whether it did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ctr.errors import UserError

KEYS = ("split", "metric", "low", "high", "source")


def check(claim: Mapping[str, Any] | None) -> None:
    """A claim is null or {split, metric, low, high, source}."""
    if claim is not None and set(claim) != set(KEYS):
        raise UserError(f"claim: expected null or the keys {', '.join(KEYS)}; found {', '.join(map(str, claim))}")


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
