"""What finished runs say of a claim: holds, does not hold, cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ctr.app.reproduce import scores
from ctr.app.reproduce.claims import COMPARISONS
from ctr.app.reproduce.table import Claim, Side
from ctr.statistics import seeds
from ctr.statistics.difference import ALPHA

HOLDS, FAILS, OPEN = "holds", "does not hold", "cannot tell"
Found = Callable[[Side], Mapping[int, float]]  # a row's score by seed
Pair = tuple[Side, Side]


@dataclass(frozen=True)
class Verdict:
    claim: Claim
    word: str
    test: str  # what was computed


def judge(claims: Sequence[Claim], found: Found) -> list[Verdict]:
    """The verdicts of a table's claims. Comparisons are corrected together by Holm's method."""
    outcomes = {claim.name: _compare(claim, found) for claim in claims if claim.kind in COMPARISONS}
    adjusted = dict(zip(outcomes, seeds.holm([one.p for one in outcomes.values()]), strict=True))
    return [
        _verdict(claim, outcomes[claim.name], adjusted[claim.name], len(outcomes))
        if claim.name in outcomes
        else _bounded(claim, found)
        for claim in claims
    ]


@dataclass(frozen=True)
class _Outcome:
    """Of the claim (`up`) or of its opposite the smaller p, doubled: two-sided."""

    p: float
    up: bool
    text: str
    missing: str = ""


def _compare(claim: Claim, found: Found) -> _Outcome:
    """A claim of several pairs holds where every pair does, so the largest of their p values is the claim's; one pair
    the other way round refutes it, so there the smallest is taken times their number (Bonferroni)."""
    inner, ends = (claim.left[1:-1], (claim.left[0], claim.left[-1])) if claim.kind == "interior" else ((), ())
    pairs = [(a, b) for a in inner or claim.left for b in ends or claim.right]
    if claim.kind == "order":
        pairs = list(pairwise(claim.left))
    tests = {pair: _test(*pair, found) for pair in pairs}
    if min(test.n for test in tests.values()) < 2:
        return _Outcome(1.0, True, "", _too_few(tests))
    ups, downs = ({pair: getattr(test, way) for pair, test in tests.items()} for way in ("up", "down"))
    if inner:
        for_it, up = _least_of_worst([[(i, e) for e in ends] for i in inner], ups)
        against, down = _least_of_worst([[(i, e) for i in inner] for e in ends], downs)
    else:
        for_it, up = _least_of_worst([pairs], ups)
        against, down = _least_of_worst([[pair] for pair in pairs], downs)
    a, b = for_it if up <= down else against
    which = "" if len(pairs) == 1 else f"{len(pairs)} pairs, deciding: {_name(a)} against {_name(b)}; "
    test = tests[a, b]
    text = f"{which}paired t = {test.t:+.2f}, {test.n} runs, difference {test.difference:+.5f}"
    return _Outcome(min(1.0, 2 * min(up, down)), up <= down, text)


def _too_few(tests: Mapping[Pair, _Test]) -> str:
    """The pair with the fewest runs in common, of several the one that speaks most against the claim."""
    (a, b), test = min(tests.items(), key=lambda one: (one[1].n, one[1].difference))
    which = "" if len(tests) == 1 else f"{len(tests)} pairs, fewest and least: "
    seen = f", difference {test.difference:+.5f}" if test.n else ""
    return f"{which}{_name(a)} and {_name(b)} have {_runs(test.n)} in common{seen}; a test needs two"


def _least_of_worst(groups: Sequence[Sequence[Pair]], p: Mapping[Pair, float]) -> tuple[Pair, float]:
    """What every pair of some group says: the group's largest p, the smallest of these times their number, and the
    pair that it is of."""
    worst = [max(group, key=p.__getitem__) for group in groups]
    pair = min(worst, key=p.__getitem__)
    return pair, min(1.0, len(groups) * p[pair])


@dataclass(frozen=True)
class _Test:
    n: int
    t: float
    difference: float  # positive where the first is better
    up: float
    down: float


def _test(a: Side, b: Side, found: Found) -> _Test:
    """One-sided tests of a against b, by the seeds that both have. Better is positive."""
    left, right = found(a), found(b)
    common = sorted(left.keys() & right.keys())
    sign = 1 if scores.higher_is_better(a.score) else -1
    x, y = ([sign * values[seed] for seed in common] for values in (left, right))
    t, up = seeds.paired(x, y)
    _, down = seeds.paired(y, x)
    return _Test(len(common), t, float(np.mean(np.subtract(x, y))) if common else 0.0, up, down)


def _verdict(claim: Claim, outcome: _Outcome, p: float, number: int) -> Verdict:
    if outcome.missing:
        return Verdict(claim, OPEN, outcome.missing)
    word = OPEN if p >= ALPHA else HOLDS if outcome.up else FAILS
    return Verdict(claim, word, f"{outcome.text}, p = {outcome.p:.2g}, {p:.2g} by Holm over {number} claims")


def _bounded(claim: Claim, found: Found) -> Verdict:
    """The 95 % interval of a mean, or of a ratio, against the claim's band."""
    if claim.kind == "untested":
        return Verdict(claim, OPEN, claim.reason)
    values = list(found(claim.left[0]).values())
    if claim.kind == "ratio":
        values = _log_ratios(claim, found)
    if (bounds := seeds.interval(values)) is None:
        return Verdict(claim, OPEN, f"{_name(claim.left[0])}: {_runs(len(values))}")
    mean = float(np.mean(values))
    if claim.kind == "ratio":
        mean, bounds = float(np.exp(mean)), (float(np.exp(bounds[0])), float(np.exp(bounds[1])))
    low, high = bounds
    inside, outside = claim.low <= low and high <= claim.high, high < claim.low or claim.high < low
    what = "geometric mean of the ratio" if claim.kind == "ratio" else "mean"
    text = f"{what} {mean:.5g}, 95 % interval [{low:.5g}, {high:.5g}], {len(values)} runs; claimed {_band(claim)}"
    return Verdict(claim, HOLDS if inside else FAILS if outside else OPEN, text)


def _band(claim: Claim) -> str:
    if np.isinf(claim.high):
        return f"at least {claim.low:g}"
    return f"at most {claim.high:g}" if np.isinf(claim.low) else f"[{claim.low:g}, {claim.high:g}]"


def _log_ratios(claim: Claim, found: Found) -> list[float]:
    over, under = found(claim.left[0]), found(claim.right[0])
    common = sorted(seed for seed in over.keys() & under.keys() if over[seed] > 0 and under[seed] > 0)
    return [float(np.log(over[seed] / under[seed])) for seed in common]


def _runs(number: int) -> str:
    return f"{number} run{'s' * (number != 1)}"


def _name(side: Side) -> str:
    return f"{side.row} ({side.score})"
