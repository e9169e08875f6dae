"""The texts of explain.md and of the smaller pages."""

from __future__ import annotations

import pandas as pd

from ctr.app import summary
from ctr.app.explain import frames
from ctr.app.explain.explanation import PAIR_ROWS, Explanation
from ctr.app.explain.neighbours import Neighbours
from ctr.app.explain.row import REFERENCES, Contributions

SHOWN = 20  # pairs that the page lists; the CSV has them all

FIELDS = """Each field in turn is shuffled across the rows, all its slots together, ids and values; the number is by
how much the {metric} gets worse, in its own units. A field that the model does not read has exactly 0; one below 0
does harm on these rows. It is what this model uses, not what the field could tell: **fields that tell of each other
share their importance**, since each still has the other to speak for it; and shuffling makes rows that never occur."""

ABLATION = """For every model alike: the mean over rows of |z(both) - z(f) - z(g) + z(none)|, z what
the model returns with the values of field f, of g, of both or of none taken from other rows. It is 0 (to rounding)
where the effects of two fields add up. As a sum of four terms it is larger than one, but the same measure for all
models."""

TERMS = """t_fg is the sum of the terms of a slot of f and one of g; its absolute value is averaged over the
rows, so that each pair of features counts as often as it occurs. A term that is the same in every row may be
large here and yet tells no rows apart: its standard deviation is 0. Terms also carry what one of the fields says alone,
where the vectors of the other are much alike; ablation leaves that out. {complete}"""

COMPLETE = "These terms are all of the model's interactions."
IN_PART = "They are the model's FM part only; what the rest of it adds, its network, is seen by ablation alone."


def page(told: Explanation) -> str:
    """explain.md."""
    runs = told.group.results
    seeds = ", ".join(str(result.seed) for result in runs)
    lines = [
        f"# What {summary.chain(runs[0].config)} on {runs[0].dataset} goes by",
        f"{len(runs)} run{'s' if len(runs) > 1 else ''}, seed {seeds}; {told.rows}. Intervals are Student's, 95 %.",
        "## Fields",
        FIELDS.format(metric=told.metric),
        f"Intervals are over {told.importance.over}.",
        markdown(frames.importances(told), 5),
        "![fields](fields.png)",
        _dependence(told),
        "## Pairs of fields",
    ]
    listed = frames.terms(told)
    if listed is not None and told.terms is not None:
        lines += [
            "### By the model's equation",
            TERMS.format(complete=COMPLETE if told.complete else IN_PART),
            f"In {told.unit}; {told.rows}; {told.terms.over}.",
            markdown(listed.head(SHOWN), 4),
            "![terms of pairs](pairs_terms.png)",
        ]
    lines += [
        "### By ablation",
        ABLATION,
        f"In {told.unit}; {told.pair_rows} ({PAIR_ROWS:,} at most); intervals are over {told.ablation.over}.",
        markdown(frames.ablations(told).head(SHOWN), 4),
        "![pairs by ablation](pairs_ablation.png)",
    ]
    return "\n\n".join(line for line in lines if line) + "\n"


def row_page(told: Contributions, title: str) -> str:
    total = sum(part.amount for part in told.parts)
    how = (
        f"The parts are the terms of the model's equation; they sum to {total:.6f}."
        if told.exact
        else f"**Approximate**: each part is what the logit loses on average when that field alone has the values of "
        f"other rows, {REFERENCES} at most. They need not sum to the logit: here they sum to {total:.6f}."
    )
    lines = [f"# {title}", f"The model returns {told.logit:.6f}; the label is {told.label:g}. {how}"]
    return "\n\n".join([*lines, markdown(frames.parts(told), 6)]) + "\n"


def neighbours_page(told: Neighbours) -> str:
    listed, count = frames.neighbours(told), len(told.same_field)
    return (
        f"# Nearest to {_cell(str(told.feature))}\n\n"
        f"By cosine of the rows of `embedding`; {told.feature.count:,} slots of train hold it. Features that train has "
        f"not are left out.\n\n## In its field: what meets others alike\n\n{markdown(listed[:count], 4)}\n\n"
        f"## In other fields: what it meets with a higher logit, in an FM\n\n{markdown(listed[count:], 4)}\n"
    )


def markdown(frame: pd.DataFrame, digits: int) -> str:
    """Numbers at so many digits; an interval in one column, left out where there is none."""
    frame = frame.copy()
    if "low" in frame:
        bounds = zip(frame.pop("low"), frame.pop("high"), strict=True)
        texts = ["" if low != low else f"{low:.{digits}f} to {high:.{digits}f}" for low, high in bounds]
        if any(texts):
            frame["95 % interval"] = texts
    cells = [[_cell(f"{x:.{digits}f}" if isinstance(x, float) else str(x)) for x in row] for row in frame.to_numpy()]
    lines = [list(frame.columns), ["---"] * len(frame.columns), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _dependence(told: Explanation) -> str:
    if not told.told:
        return "No field tells much of another one on these rows."
    listed = "; ".join(f"{_cell(of)} by {_cell(by)} ({share:.0%})" for of, by, share in told.told[:SHOWN])
    return f"On these rows fields are told by others, to this share of their entropy beyond chance: {listed}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
