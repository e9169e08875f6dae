"""What one row's logit is made of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ctr.app.explain.sample import Sample, predict
from ctr.app.explain.terms import first_terms, has_terms, is_additive, pair_terms
from ctr.app.restore import Run
from ctr.data.names import Names
from ctr.data.rows import concatenate
from ctr.training.objective import LogLoss

REFERENCES = 200  # rows whose values take the place of a field's


@dataclass(frozen=True)
class Part:
    """Something of the row, and what it adds to the logit."""

    name: str
    value: str  # x_i, or both of a pair; empty where there is none
    amount: float


@dataclass(frozen=True)
class Contributions:
    """`exact`: the parts sum to the logit. Otherwise each is what the logit loses, on average, when one field has the
    values of other rows."""

    parts: tuple[Part, ...]
    logit: float
    label: float
    exact: bool


def contributions(run: Run, sample: Sample, row: Sample, names: Names) -> Contributions:
    """Of the one row of `row`: exact terms where the model is a sum of such, else by the rows of `sample`."""
    found = predict(run, row)
    exact = is_additive(run.model)
    parts = _terms(run, row, names) if exact else _occlusion(run, sample, row, names)
    return Contributions(tuple(parts), float(found.logits), float(found.labels), exact)


def _terms(run: Run, row: Sample, names: Names) -> list[Part]:
    """w_0, each w_i x_i, each term of a pair; and what undoes the down-sampling of negatives, where there was one."""
    model, batch = run.model.to("cpu").eval(), row.rows.batch(slice(None))
    ids, x = batch.ids[0].tolist(), batch.values[0].tolist()
    called = [f"{row.schema.fields[f].name}={names.token(i)}" for f, i in zip(row.schema.slot_fields, ids, strict=True)]
    used = [slot for slot, value in enumerate(x) if value]
    with torch.inference_mode():
        w_0, first = first_terms(model, row.schema, batch.ids, batch.values)
        parts = [Part("w_0", "", w_0), *(Part(called[s], f"{x[s]:g}", float(first[0, s])) for s in used)]
        if has_terms(model):
            pairs = pair_terms(model, row.schema, batch.ids, batch.values)[0]
            for i, s in enumerate(used):
                for t in used[i + 1 :]:
                    parts.append(Part(f"{called[s]} & {called[t]}", f"{x[s]:g} & {x[t]:g}", float(pairs[s, t])))
    if row.negatives_kept != 1 and row.split != "train" and isinstance(run.trainer.objective, LogLoss):
        parts.append(Part("ln(share of negatives kept)", "", float(np.log(row.negatives_kept))))
    return parts


def _occlusion(run: Run, sample: Sample, row: Sample, names: Names) -> list[Part]:
    """logit - mean of the logits with a field's slots taken from rows of the sample, field by field."""
    count = min(REFERENCES, len(sample))
    others = sample.rows.take(np.linspace(0, len(sample) - 1, count).astype(np.int64))
    both = replace(row, rows=concatenate([row.rows.take(np.zeros(count, dtype=np.int64)), others]))
    swap = np.roll(np.arange(2 * count), count)
    batch, logit = row.rows.batch(slice(None)), float(predict(run, row).logits)
    parts = []
    for f, field in enumerate(row.schema.fields):
        used = [s for s in row.schema.slots([field.name]) if batch.values[0, s]]
        tokens = ", ".join(names.token(int(batch.ids[0, s])) for s in used)
        x = ", ".join(f"{float(batch.values[0, s]):g}" for s in used)
        swapped = both.shuffled({f: swap}).take(np.arange(count))
        parts.append(Part(f"{field.name}={tokens}", x, logit - float(predict(run, swapped).logits.mean())))
    return parts
