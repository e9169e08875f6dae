"""How much the pairs of fields add to the logit, in models whose equation has terms of pairs."""

from __future__ import annotations

import numpy as np
import torch

from ctr.app.explain.sample import Sample
from ctr.app.explain.terms import pair_terms
from ctr.app.restore import Run
from ctr.schema import FeatureSchema

NUMBERS = 2**24  # in memory at once


def strength(run: Run, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the rows: E|t_fg| and SD(t_fg), t_fg the sum of the terms of a slot of f and one
    of g, so that every pair of features counts as often as it occurs. Each (F, F), on and above the diagonal: a field
    of several slots meets itself. NaN elsewhere."""
    schema, count = sample.schema, sample.schema.num_fields
    model = run.model.to(run.trainer.device).eval()
    width = _numbers_of_a_row(run, schema)
    first, second, size = np.zeros((count, count)), np.zeros((count, count)), np.zeros((count, count))
    for start in range(0, len(sample), step := max(1, NUMBERS // width)):
        batch = sample.rows.batch(slice(start, start + step)).to(run.trainer.device)
        with torch.inference_mode():
            terms = by_field(pair_terms(model, schema, batch.ids, batch.values), schema)
            first += terms.sum(dim=0).cpu().numpy()
            second += terms.square().sum(dim=0).cpu().numpy()
            size += terms.abs().sum(dim=0).cpu().numpy()
    rows = len(sample)
    spread = np.sqrt(np.maximum(second / rows - (first / rows) ** 2, 0.0))
    meets = np.triu(np.ones((count, count), dtype=bool), 1) | np.diag([field.num_slots > 1 for field in schema.fields])
    return np.where(meets, size / rows, np.nan), np.where(meets, spread, np.nan)


def by_field(terms: torch.Tensor, schema: FeatureSchema) -> torch.Tensor:
    """The terms of slots, (B, S, S), summed for each pair of fields: (B, F, F)."""
    field = torch.tensor(schema.slot_fields, device=terms.device)
    member = torch.nn.functional.one_hot(field, schema.num_fields).to(terms.dtype)  # (S, F)
    return member.T @ terms @ member


def _numbers_of_a_row(run: Run, schema: FeatureSchema) -> int:
    """What the terms of one row take: S^2, in field-aware models times D."""
    block = getattr(run.model, "interaction", None)
    return schema.num_slots**2 * int(getattr(block, "embedding_dim", 1))
