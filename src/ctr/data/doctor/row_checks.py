"""What a person should look at of the rows: their labels, times and equals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ctr.data.doctor import Examination
from ctr.data.doctor.finding import Finding
from ctr.data.doctor.labels import Labels, more_than_chance
from ctr.data.doctor.scores import standard_error

RELATIVE = 0.2  # difference of label rates
STANDARD_ERROR = 0.02  # of an AUC


def check_rows(seen: Examination) -> Iterator[Finding]:
    for check in (_times, _copies, _drift, _rows, _twins, _few):
        yield from check(seen)


def _times(seen: Examination) -> Iterator[Finding]:
    if seen.times is not None and seen.times.later > 0.001:
        yield Finding(
            "warning",
            "time",
            f"{seen.times.later:.1%} of train's rows are later than the first row of test, {seen.times.earlier:.1%} of "
            f"test's earlier than the last of train",
            "training looks into test's future: the score is not that of a forecast",
            "dataset.split={by: time, valid: 0.1, test: 0.1}; where a protocol prescribes this split, compare with "
            "scores of the same split only",
        )


def _copies(seen: Examination) -> Iterator[Finding]:
    """More of test in train than train's own equals explain."""
    for (later, earlier), across in seen.duplicates.across.items():
        within = seen.duplicates.within["train"]
        if earlier != "train" or not across.rows or not within.rows:
            continue
        share, usual = across.found / across.rows, within.twins / within.rows
        if share > 0.01 + 2 * usual:
            label = f"; {across.conflicts:,} of them with another label there" if across.conflicts else ""
            yield Finding(
                "warning",
                later,
                f"{share:.1%} of its rows are also in train ({across.found:,} of {across.rows:,}){label}, though only "
                f"{usual:.1%} of train's rows have an equal one in train",
                "a model that remembers its rows scores well on them, or is punished for labels that contradict",
                f"drop them from {later}, or split by what makes a row: dataset.split={{by: group, column: ...}}",
            )


def _twins(seen: Examination) -> Iterator[Finding]:
    train = seen.duplicates.within["train"]
    if train.rows and train.twins > 0.05 * train.rows:
        yield Finding(
            "note",
            "train",
            f"{train.twins / train.rows:.1%} of the rows have an equal row, {train.conflicts / train.rows:.1%} one of "
            f"another label",
            "the fields tell these rows not apart; no model can be right about both labels of equal rows",
            "copies of a row should go; rows that only look alike need another field, or a lower min_count",
        )


def _drift(seen: Examination) -> Iterator[Finding]:
    train, what = seen.labels["train"], "mean label" if seen.regression else "label rate"
    parts = list(seen.order)
    if more_than_chance(parts, train.mean, train.std) and _spread(parts) > RELATIVE:
        is_sorted = not seen.regression and any(part.mean in (0, 1) for part in parts)
        low, high = min(parts, key=lambda part: part.mean), max(parts, key=lambda part: part.mean)
        yield Finding(
            "warning" if is_sorted else "note",
            "train",
            f"the {what} changes along the file: {low.mean:.4g} in part {parts.index(low) + 1} of {len(parts)}, "
            f"{high.mean:.4g} in part {parts.index(high) + 1}",
            "rows near each other are alike: a split by order gives splits that differ, and training in the order of "
            "the file forgets",
            "shuffle when training; split at random, or by time where the order is that of time",
        )
    for split, labels in seen.labels.items():
        both = [train, labels]
        if split != "train" and more_than_chance(both, train.mean, train.std) and _spread(both) > RELATIVE:
            yield Finding(
                "note",
                split,
                f"{what} {labels.mean:.4g}, in train {train.mean:.4g}",
                "predictions come out at train's level: log loss and calibration suffer, AUC does not",
                "find out why: other days, another sampling of negatives, another population?",
            )


def _rows(seen: Examination) -> Iterator[Finding]:
    rows = seen.manifest.get("rows")
    if rows is None:
        return
    if rejected := sum(rows["rejected"].values()):
        yield Finding(
            "warning" if rejected > 0.01 * rows["read"] else "note",
            "files",
            f"{rejected:,} of {rows['read']:,} rows ({rejected / rows['read']:.2%}) left out: "
            + "; ".join(f"{count:,} {reason}" for reason, count in rows["rejected"].items()),
            "what is left may not be what you meant to train on",
            "rejected.jsonl in the prepared folder lists each with its place",
        )
    if rows["dropped_negatives"]:
        yield Finding(
            "note",
            "train",
            f"{rows['dropped_negatives']:,} negatives dropped, {seen.manifest['negatives_kept']:g} of them kept",
            "a model's own probabilities come out too high; those of valid and test are corrected for that",
            "correct what the model predicts elsewhere: ctr.metrics.calibration.undo_down_sampling",
        )


def _few(seen: Examination) -> Iterator[Finding]:
    """Too few to tell models apart."""
    for split in ("valid", "test"):
        if seen.regression or split not in seen.labels:
            continue
        labels = seen.labels[split]
        positives, negatives = labels.classes
        if not positives or not negatives:
            what, score = f"all {labels.rows:,} labels are {labels.mean:g}", "AUC is undefined there"
        else:
            error = standard_error(positives, negatives)
            if error < STANDARD_ERROR:
                continue
            what = f"{positives:,} positives and {negatives:,} negatives"
            score = f"an AUC near .75 has a standard error of about {error:.3f} there"
        yield Finding("note", split, what, f"{score}; smaller differences between models are noise", "use more rows")


def _spread(parts: Sequence[Labels]) -> float:
    """The largest mean's distance from the smallest, of the larger one's size."""
    means = [part.mean for part in parts]
    largest = max(map(abs, means))
    return (max(means) - min(means)) / largest if largest else 0.0
