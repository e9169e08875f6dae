"""Training steps of ctr's models on made-up batches, for benchmarks of the step alone: no loader, no evaluation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir

from ctr.app.config import build, plain
from ctr.app.datasets import CONFIGS
from ctr.batch import Batch, ones
from ctr.schema import FeatureSchema, Field, FieldKind
from ctr.training.optimizer import GroupedOptimizer
from ctr.training.progress import Progress
from ctr.training.watch import Watch

ZIPF, BATCHES = 1.05, 20


def batches(vocabulary: int, fields: int, batch_size: int, seed: int = 1) -> tuple[FeatureSchema, list[Batch]]:
    """Categorical fields of equal size; ids Zipf-distributed within each, and spread over it."""
    random = np.random.default_rng(seed)
    size = vocabulary // fields
    schema = FeatureSchema(tuple(Field(f"C{i}", FieldKind.CATEGORICAL, size) for i in range(fields)))
    made = []
    for _ in range(BATCHES):
        u = random.random((batch_size, fields))
        ranks = (((size + 1) ** (1 - ZIPF) - 1) * u + 1) ** (1 / (1 - ZIPF))  # the inverse of the continuous law
        spread = (ranks.astype(np.int64) * 2_654_435_761 + np.arange(fields) * 97) % size
        ids = torch.from_numpy(spread + np.array(schema.offsets))
        labels = torch.from_numpy((random.random(batch_size) < 0.25).astype(np.float32))
        made.append(Batch(ids, ones(batch_size, fields), labels))
    return schema, made


def stepper(model: str, schema: FeatureSchema, made: list[Batch], overrides: list[str]) -> Callable[[int], float]:
    """A function that trains so many steps and returns its seconds."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = plain(compose("train", overrides=[f"model={model}", "stages=none", *overrides]))
    torch.manual_seed(1)
    net = build(config["model"], [], "model", schema=schema)
    trainer: Any = build(config["trainer"], [], "trainer")
    optimizer = GroupedOptimizer(net, trainer.make_optimizer, trainer.groups)
    progress, watch, done = Progress(), Watch(1), 0

    def steps(count: int) -> float:
        nonlocal done
        started = time.perf_counter()
        for _ in range(count):
            trainer._step(net, optimizer, made[done % len(made)], progress, watch)
            done += 1
        return time.perf_counter() - started

    steps(5)
    return steps
