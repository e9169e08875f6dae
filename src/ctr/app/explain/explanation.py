"""What is told of the runs of one config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from ctr.app import results
from ctr.app.explain.ablation import ablation
from ctr.app.explain.dependence import told_by_others
from ctr.app.explain.importance import importance
from ctr.app.explain.measured import Measured
from ctr.app.explain.sample import Sample
from ctr.app.explain.strength import strength
from ctr.app.explain.terms import has_terms, is_additive
from ctr.app.restore import Run, restore
from ctr.app.results import Group
from ctr.data.module import Data
from ctr.errors import UserError
from ctr.training.objective import LogLoss

PAIR_ROWS = 4_000  # for each pair of fields, of which there may be many hundreds


@dataclass(frozen=True)
class Explanation:
    """Fields in the order of the schema; pairs above the diagonal. `unit` is that of what the model returns."""

    group: Group
    fields: Sequence[str]
    metric: str
    higher_is_better: bool
    unit: str
    rows: str
    pair_rows: str
    importance: Measured
    told: Sequence[tuple[str, str, float]]  # field, by which other, to what share
    ablation: Measured
    terms: Measured | None  # E|t_fg| where the model has terms of pairs
    spread: np.ndarray | None  # SD(t_fg)
    complete: bool  # the terms are all of the model's interactions


def find_group(roots: Sequence[Path], console: Console) -> Group:
    """The runs under these folders, which have to be of one config. Those that cannot be read are named on the console.

    Raises UserError where there is none, or more than one config.
    """
    found = results.find(roots)
    for folder, why in found.skipped.items():
        console.print(f"left out: {why if str(folder) in why else f'{folder}: {why}'}", soft_wrap=True, markup=False)
    groups = results.groups(found.results)
    if len(groups) > 1:
        listed = "".join(f"\n  {group.name}: {group.first.folder}" for group in groups[:10])
        raise UserError(
            f"{len(groups)} configs were found, and only runs that differ in the seed alone are explained together; "
            f"name the folders of one:{listed}"
        )
    return groups[0]


def open_run(folder: Path, trust: Sequence[str], device: str | None) -> tuple[Run, Data]:
    """A finished run and its data. Raises UserError for data of a class that does not show its rows."""
    run = restore(folder, trust=trust, device=device)
    if not isinstance(run.data, Data):
        raise UserError(f"{folder}: data of {type(run.data).__name__} are no ctr.data.module.Data")
    return run, run.data


def measure(
    group: Group,
    split: str,
    rows: int,
    repeats: int,
    seed: int,
    trust: Sequence[str],
    device: str | None,
    console: Console,
) -> Explanation:
    """All runs of the group by the same rows and the same shuffles, which `seed` draws."""
    worse, lacking, sizes, spreads = [], [], [], []
    for result in group.results:
        run, data = open_run(result.folder, trust, device)
        sample = Sample.draw(data, split, rows, seed)
        pairs = Sample.draw(data, split, min(rows, PAIR_ROWS), seed)
        count = data.schema.num_fields
        console.print(f"seed {result.seed}: {count} fields, {count * (count - 1) // 2} pairs of them", highlight=False)
        worse.append(importance(run, sample, repeats, seed))
        lacking.append(ablation(run, pairs, repeats, seed))
        if has_terms(run.model):
            size, spread = strength(run, sample)
            sizes.append(size)
            spreads.append(spread)
    monitor = run.trainer.monitor
    over = f"{len(sizes)} seeds" if len(sizes) > 1 else "one run, so without an interval"
    return Explanation(
        group=group,
        fields=[field.name for field in data.schema.fields],
        metric=monitor.name,
        higher_is_better=bool(monitor.higher_is_better),
        unit="logits" if isinstance(run.trainer.objective, LogLoss) else "units of the prediction",
        rows=sample.told,
        pair_rows=pairs.told,
        importance=Measured.of(np.stack(worse)),
        told=told_by_others(sample, seed),
        ablation=Measured.of(np.stack(lacking)),
        terms=Measured(np.stack(sizes), over) if sizes else None,
        spread=np.mean(spreads, axis=0) if spreads else None,
        complete=is_additive(run.model),
    )
