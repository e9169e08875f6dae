"""Fields that a person should look at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ctr.data.doctor import Examination
from ctr.data.doctor.fields import FieldReport
from ctr.data.doctor.finding import Finding
from ctr.data.doctor.scores import standard_error

LEAK = {False: 0.95, True: 0.9}  # AUC, R^2 of a field alone; by regression
AHEAD = {False: (0.75, 0.15), True: (0.5, 0.3)}  # at least so good, and so far above the next field
CONSTANT = 0.999  # of rows with one value
IDENTIFIER = 0.8  # different values for each row of train
MOSTLY = 0.5  # of rows with an unknown token
BACKWARDS = 0.02  # below an AUC of 1/2


def check_fields(seen: Examination) -> Iterator[Finding]:
    for check in (_leaks, _unseen, _identifiers, _constants, _rare, _backwards):
        yield from check(seen)


def _leaks(seen: Examination) -> Iterator[Finding]:
    """Fields that predict the label alone."""
    score = "R²" if seen.regression else "AUC"
    ranked = [field for field in seen.by_score if not np.isnan(field.alone)]
    leaks = [field for field in ranked if field.alone >= LEAK[seen.regression]]
    for field in leaks:
        yield Finding(
            "warning",
            f"fields.{field.name}",
            f"predicts the label alone: {score} {field.alone:.4f} on valid",
            "it may hold what is known only after the label, or the label itself",
            f"ask when its value is known; leave it out with ~dataset.fields.{field.name} if that is after the label",
        )
    least, margin = AHEAD[seen.regression]
    if not leaks and len(ranked) > 1 and ranked[0].alone >= max(least, ranked[1].alone + margin):
        yield Finding(
            "note",
            f"fields.{ranked[0].name}",
            f"{score} {ranked[0].alone:.4f} on valid alone, far above the next field ({ranked[1].name}, "
            f"{ranked[1].alone:.4f})",
            "a strong field is good luck, or a trace of the label or of how the rows were sampled",
            "ask whether its value is known, and distributed so, when the prediction is made",
        )


def _unseen(seen: Examination) -> Iterator[Finding]:
    for split in seen.labels:
        new = [
            field for field in seen.fields if split != "train" and field.oov[split] >= MOSTLY > 2 * field.oov["train"]
        ]
        if new:
            yield Finding(
                "warning",
                _names(new),
                f"most rows of {split} hold tokens that train has not: "
                + ", ".join(f"{field.name} {field.oov[split]:.0%}" for field in new),
                f"the model knows nothing of these values there, and what it learned in train is no use to {split}",
                "leave the fields out, make them coarser, or split so that train has such values (a date or a user id "
                "cannot carry over to other dates and users)",
            )


def _identifiers(seen: Examination) -> Iterator[Finding]:
    rows = seen.labels["train"].rows
    found = [field for field in seen.fields if field.number is None and field.num_seen >= IDENTIFIER * rows]
    if found and rows >= 100:
        yield Finding(
            "warning",
            _names(found),
            "nearly a value for each row: " + ", ".join(f"{f.name} {f.num_seen:,} of {rows:,} rows" for f in found),
            "the model can learn train by heart through them, and nothing else",
            "leave them out, or set min_count",
        )


def _constants(seen: Examination) -> Iterator[Finding]:
    found = [field for field in seen.fields if field.top_share > CONSTANT]
    if found:
        yield Finding(
            "note",
            _names(found),
            "one value in nearly all rows of train: " + ", ".join(f"{f.name} {f.top_share:.2%}" for f in found),
            "such a field tells next to nothing, and takes weights and time",
            "leave them out: " + " ".join(f"~dataset.fields.{field.name}" for field in found),
        )


def _rare(seen: Examination) -> Iterator[Finding]:
    found = [field for field in seen.fields if field.oov["train"] >= MOSTLY]
    if found:
        yield Finding(
            "note",
            _names(found),
            "most rows of train hold tokens too rare to be known: "
            + ", ".join(f"{field.name} {field.oov['train']:.0%}" for field in found),
            "they all look alike to the model",
            "more rows, a lower min_count, or coarser values",
        )


def _backwards(seen: Examination) -> Iterator[Finding]:
    """Fields whose label rates in train say the opposite of valid."""
    if seen.regression:
        return
    positives, negatives = seen.labels["valid"].classes
    if not positives or not negatives:
        return
    bound = 0.5 - max(BACKWARDS, 5 * standard_error(positives, negatives, 0.5))
    if found := [field for field in seen.fields if field.alone < bound]:
        yield Finding(
            "note",
            _names(found),
            "the label rates of train predict valid the wrong way round: "
            + ", ".join(f"{field.name} AUC {field.alone:.4f}" for field in found),
            "perhaps the rows were drawn so that each value has a fixed share of positives, as with sampled negatives: "
            "more of them in train leave fewer for valid. What a model learns of that holds nowhere else",
            "draw negatives for each split on its own, after splitting; expect less of these fields elsewhere",
        )


def _names(fields: Sequence[FieldReport]) -> str:
    names = [field.name for field in fields]
    return "fields " + ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
