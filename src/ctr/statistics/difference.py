"""What a test says of two: how far apart, between which bounds, and could it be chance?"""

from __future__ import annotations

from dataclasses import dataclass

ALPHA = 0.05


@dataclass(frozen=True)
class Difference:
    """Of two scores, the first minus the second: its 95 % interval, and the two-sided p value, the chance of a
    difference as large or larger if there were none."""

    value: float
    low: float
    high: float
    p: float


def p_value(p: float) -> str:
    """As a table says it: p = 0.0312, or p < 0.0001."""
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.4f}"
