"""ctr itself: its loader, its trainer, its defaults.

    python benchmarks/peers/ours.py DATA SETTINGS          takes turns (pace.py); nothing is evaluated
    python benchmarks/peers/ours.py DATA SETTINGS --fit    trains to its own end, a JSON line per epoch

Further settings: `overrides`, a list such as ["precision=bf16", "optimizer@trainer.optimizer=adam"].
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pace
import torch
from hydra import compose, initialize_config_dir
from rich.console import Console

from ctr import native
from ctr.app.config import build, plain
from ctr.app.datasets import CONFIGS
from ctr.data.module import Data
from ctr.data.rows import Layout, Rows, narrowest
from ctr.metrics import Scores
from ctr.schema import FeatureSchema, Field, FieldKind
from ctr.training.device import use_threads
from ctr.training.optimizer import GroupedOptimizer
from ctr.training.run_log import RunLog


def open_data(folder: Path, window: int = 2**24) -> Data:
    """The arrays as ctr stores rows: numbers first, one slot each, then the categorical fields."""
    meta = json.loads((folder / "meta.json").read_text())
    ids, dense, labels = (np.load(folder / f"{name}.npy") for name in ("ids", "dense", "labels"))
    numbers = [Field(f"I{i}", FieldKind.NUMERIC, 1) for i in range(dense.shape[1])]
    categories = [Field(f"C{i}", FieldKind.CATEGORICAL, size) for i, size in enumerate(meta["cardinalities"])]
    schema = FeatureSchema((*numbers, *categories))
    count = len(numbers)
    constant = (*schema.offsets[:count], *(0 for _ in categories))
    layout = Layout(constant, tuple(range(count, schema.num_slots)), tuple(range(count)))
    ids = (ids + np.array(schema.offsets[count:])).astype(narrowest(schema.num_features))
    splits, start = {}, 0
    for split in ("train", "valid", "test"):
        if meta[split]:
            rows = slice(start, start + meta[split])
            splits[split] = Rows(layout, ids[rows], dense[rows].astype(np.float32), labels[rows].astype(np.float32))
            start = rows.stop
    return Data(schema, splits, labels="binary", source=str(folder), window=window)


def overrides(settings: dict[str, Any]) -> list[str]:
    model, dims = settings["model"], settings["hidden_dims"]
    chosen = [f"model={model}", "stages=none", f"model.embedding_dim={settings['embedding_dim']}"]
    if model != "fm":
        norm, dropout = ("hidden_batch_norm", "hidden_dropout") if model == "nfm" else ("batch_norm", "dropout")
        chosen += [f"model.hidden_dims={json.dumps(dims)}", f"model.{norm}={settings['batch_norm']}"]
        chosen += [f"model.{dropout}={settings['dropout']}"]
    if model == "nfm":
        chosen += [
            "model.pooling_batch_norm=false",
            "model.pooling_dropout=0",
            "model.bias=false",
            "model.head_bias=true",
        ]
    l2 = settings["l2"]
    chosen += [f"trainer.groups.embedding.l2={l2}", f"trainer.groups.linear.l2={l2}"]
    chosen += [f"trainer.optimizer.lr={settings['lr']}", f"trainer.batch_size={settings['batch_size']}"]
    chosen += [f"trainer.max_epochs={settings['epochs']}", f"seed={settings['seed']}", "trainer.log_every=50"]
    chosen.append(f"device={settings['device']}")
    return [*chosen, *settings.get("overrides", [])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("settings", type=Path)
    parser.add_argument("--fit", action="store_true")
    arguments = parser.parse_args()
    settings = json.loads(arguments.settings.read_text())
    use_threads(settings["threads"])
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = plain(compose("train", overrides=overrides(settings)))
    native.use(config.get("kernels", "auto"))
    data = open_data(arguments.data)
    torch.manual_seed(settings["seed"])
    model = build(config["model"], [], "model", schema=data.schema)
    trainer = build(config["trainer"], [], "trainer")
    if arguments.fit:
        fit(model, trainer, data)
        return
    turns = pace.Pace(settings["steps"])
    step = GroupedOptimizer.step

    def stepped(self: GroupedOptimizer) -> None:
        step(self)
        turns.step()

    GroupedOptimizer.step = stepped  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as out:
        trainer.rhythm.eval_steps = 10**9
        trainer.fit(model, data, Path(out), Console(quiet=True))


def fit(model: torch.nn.Module, trainer: Any, data: Data) -> None:
    valid = RunLog.valid
    started = time.perf_counter()

    def told(self: RunLog, progress: Any, scores: Scores) -> None:
        valid(self, progress, scores)
        seconds = time.perf_counter() - started
        print(json.dumps({"epoch": progress.epoch, "seconds": seconds, **scores.values}), flush=True)

    RunLog.valid = told  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as out:
        progress = trainer.fit(model, data, Path(out), Console(quiet=True))
    seconds = time.perf_counter() - started
    scores = trainer.evaluate(model, data, "test").values if "test" in data.splits else {}
    print(json.dumps({"seconds": seconds, "epochs": progress.epoch, "test": dict(scores)}), flush=True)


if __name__ == "__main__":
    main()
