"""Comparisons in sentences: what was found, and what the tests can and cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

from ctr.app import same_data
from ctr.app.compare.pairs import Comparison, Tested
from ctr.app.compare.rows import MEANS
from ctr.app.tables.words import ranges
from ctr.statistics.difference import ALPHA, p_value
from ctr.statistics.rows import DRAWS, LEAST

SEEDS = (
    "Over seeds: Student's paired t test on the scores of equal seeds. It asks whether other seeds, on these data, "
    "would say the same; it cannot tell whether other rows would."
)
ROWS = (
    f"Over rows: DeLong's test for auc, a paired bootstrap of {DRAWS:,} draws for {', '.join(MEANS)} (its p is at "
    f"least {LEAST:.3f}), on scores averaged over the common seeds. It asks whether other rows like these would say "
    f"the same of these very models: it is conditional on them, and cannot tell whether other seeds would. Rows count "
    f"as independent of each other; where one user has many, p is too small."
)


def sentences(found: Sequence[Comparison], split: str) -> list[str]:
    said = [_sentence(one, split) for one in found]
    pairs = max(sum(other.metric == one.metric for other in found) for one in found)
    holm = f"p is corrected by Holm's method over the {pairs} pairs of a metric, for seeds and rows apart."
    return [*said, SEEDS, ROWS, *[holm] * (pairs > 1), *_left_out(found), *_other_fields(found)]


def _sentence(one: Comparison, split: str) -> str:
    over = f"seed{'s' * (len(one.seeds) != 1)} {ranges(one.seeds)}"
    if one.better is None:
        first = f"{split} {one.metric}: {one.a.name} and {one.b.name} differ by {abs(one.difference):.5f} ({over})."
    else:
        worse = one.b if one.better is one.a else one.a
        better = f"{one.better.name}'s mean is better than {worse.name}'s"
        first = f"{split} {one.metric}: {better} by {abs(one.difference):.5f} ({over})."
    return f"{first} {_tested('seeds', one.over_seeds)} {_tested('rows', one.over_rows)}"


def _tested(by: str, test: Tested | str) -> str:
    if isinstance(test, str):
        return f"No test over {by}: {test}."
    can = "it can be told from chance" if test.adjusted < ALPHA else "it cannot be told from chance"
    return f"Over {test.n:,} {by} {can} ({p_value(test.adjusted)})."


def _left_out(found: Sequence[Comparison]) -> list[str]:
    """Seeds that only one of a pair has."""
    said: dict[str, None] = {}
    for one in found:
        for mine, other in ((one.a, one.b), (one.b, one.a)):
            if alone := mine.by_seed.keys() - other.by_seed.keys():
                said[f"Not compared: {mine.name}, seeds {ranges(alone)}, which {other.name} does not have."] = None
    return list(said)


def _other_fields(found: Sequence[Comparison]) -> list[str]:
    """Pairs that were scored on the same rows, and were shown other things of them."""
    said: dict[str, None] = {}
    for one in found:
        if fields := same_data.other_fields(one.a.first, one.b.first):
            shown = f"{one.a.name} and {one.b.name} see other fields, or other encodings of them: {', '.join(fields)}."
            said[f"{shown} The rows are the same, and the comparison is of what is shown of them too."] = None
    return list(said)
