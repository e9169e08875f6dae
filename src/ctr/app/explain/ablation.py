"""How strongly a model lets two fields interact, whatever it is made of."""

from __future__ import annotations

import itertools

import numpy as np

from ctr.app.explain.sample import Sample, order_of, predict
from ctr.app.restore import Run


def ablation(run: Run, sample: Sample, repeats: int, seed: int) -> np.ndarray:
    """(F, F, repeats), above the diagonal, NaN elsewhere: the mean over the rows of |I_fg|,

        I_fg = logit(both) - logit(f) - logit(g) + logit(none),

    where f, g or both have the values of other rows. It is 0 where the logit is a sum of what f says and what g says,
    and half of it is what the two say together only: the mean difference of <v_i, v_j> x_i x_j over the corners of a
    square, in an FM. Friedman and Popescu, "Predictive Learning via Rule Ensembles", Annals of Applied Statistics 2008,
    section 8, measure the same lack of additivity by partial dependence.
    """
    fields = range(sample.schema.num_fields)
    strength = np.full((len(fields), len(fields), repeats), np.nan)
    none = _logits(run, sample)
    for r in range(repeats):
        orders = {f: order_of(seed, f, r, len(sample)) for f in fields}
        single = {f: _logits(run, sample.shuffled({f: orders[f]})) for f in fields}
        for f, g in itertools.combinations(fields, 2):
            both = _logits(run, sample.shuffled({f: orders[f], g: orders[g]}))
            strength[f, g, r] = np.abs(both - single[f] - single[g] + none).mean()
    return strength


def _logits(run: Run, sample: Sample) -> np.ndarray:
    """(N,) float64."""
    logits: np.ndarray = predict(run, sample).logits.numpy()
    return logits
