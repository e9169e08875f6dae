"""How much worse a model scores once a field says nothing about its row."""

from __future__ import annotations

import numpy as np

from ctr.app.explain.sample import Sample, metric, order_of
from ctr.app.restore import Run


def importance(run: Run, sample: Sample, repeats: int, seed: int) -> np.ndarray:
    """(F, repeats): by how much the monitored metric gets worse when one field's slots are shuffled across the rows, in
    units of the metric; exactly 0 for a field that the model does not read.

    Breiman, "Random Forests", Machine Learning 2001, section 10; Fisher, Rudin and Dominici, "All Models are Wrong, but
    Many are Useful", JMLR 2019, in its form of a difference.
    """
    sign = 1.0 if run.trainer.monitor.higher_is_better else -1.0
    whole = metric(run, sample)
    worse = np.empty((sample.schema.num_fields, repeats))
    for f in range(len(worse)):
        for r in range(repeats):
            order = order_of(seed, f, r, len(sample))
            worse[f, r] = sign * (whole - metric(run, sample.shuffled({f: order})))
    return worse
