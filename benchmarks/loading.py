"""What reading from shards costs a training: the same model on the same rows, from shards through a window of 2^20 rows
and from memory, in turn.

    python benchmarks/criteo_like.py criteo_like.csv --rows 10000000
    python benchmarks/loading.py .

The fields keep 1,000 values each, so that the tables are small and the step is as fast as it gets: the reading has the
least to hide behind. Prints a Markdown table, and the time from opening the prepared data to the first batch.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from ctr.app.config import build
from ctr.app.datasets import CONFIGS, dataset_config
from ctr.batch import Batch
from ctr.data.loader import BatchLoader
from ctr.data.prepared import PreparedData

BATCH, STEPS = 4096, 100
FIRST = """
import json, sys, time
import torch, ctr.data, ctr.data.cache  # imports are not counted
from ctr.data import Prepared
started = time.perf_counter()
data = Prepared(root=sys.argv[1], window=2**20).open()
opened = time.perf_counter() - started
batches = data.loader("train", 4096, order="shuffled", seed=1).batches()
next(batches)
print(json.dumps([opened, time.perf_counter() - started]))
"""


def open_small(folder: Path, cache: str) -> PreparedData:
    dataset = dataset_config("criteo_like", [f"dataset.root={folder}", f"dataset.cache={cache}"])
    for spec in dataset["fields"].values():
        if spec["kind"] == "categorical":
            spec["max_features"] = 1000
    data: PreparedData = build(dataset, [], "dataset").open()
    return data


def forever(loader: BatchLoader) -> Iterator[Batch]:
    epoch = 0
    while True:
        yield from loader.batches(epoch)
        epoch += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where criteo_like.csv is")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--models", nargs="*", default=["FM", "DeepFM"])
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    data = open_small(folder, str(folder / "cache"))
    sources = {
        "shards": BatchLoader(data.splits["train"], BATCH, order="shuffled", seed=1, window=2**20),
        "memory": BatchLoader(data.splits["train"], BATCH, order="shuffled", seed=1, window=len(data.splits["train"])),
    }
    print("| model | from shards, examples/s | from memory, examples/s | ratio, median (range) |")
    print("|---|---:|---:|---:|")
    for name in arguments.models:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            config = compose("train", overrides=[f"model={name.lower()}"])
        model = build(OmegaConf.to_container(config.model), [], "model", schema=data.schema)
        optimizer = torch.optim.Adam(model.parameters(), fused=True)
        streams = {source: forever(loader) for source, loader in sources.items()}
        rates: dict[str, list[float]] = {source: [] for source in sources}
        for _ in range(arguments.rounds + 1):
            for source, stream in streams.items():
                started = time.perf_counter()
                for _ in range(STEPS):
                    batch = next(stream)
                    optimizer.zero_grad()
                    logits = model(batch.ids, batch.values)
                    torch.nn.functional.binary_cross_entropy_with_logits(logits, batch.labels).backward()
                    optimizer.step()
                rates[source].append(BATCH * STEPS / (time.perf_counter() - started))
        shards, memory = rates["shards"][1:], rates["memory"][1:]  # the first round warms up
        ratios = [a / b for a, b in zip(shards, memory, strict=True)]
        spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f}-{max(ratios):.3f})"
        print(
            f"| {name} | {statistics.median(shards):,.0f} | {statistics.median(memory):,.0f} | {spread} |", flush=True
        )
    command = [sys.executable, "-c", FIRST, str(data.folder)]
    for _ in range(3):
        opened, first = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)  # noqa: S603
        print(f"opened in {opened:.2f} s, first batch of {len(sources['shards'].rows):,} rows after {first:.2f} s")


if __name__ == "__main__":
    main()
