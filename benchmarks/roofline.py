"""How close a training step comes to the machine: its matrix work against the measured peak of matrix products, and its
rows against the measured peak of random reads.

    python benchmarks/roofline.py

A DeepFM of 26 fields, embedding_dim 16 and 400-400-400 on 1 million ids, and an FM; batches of 4,096.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from stepping import batches, stepper

from ctr import native
from ctr.training.device import find_precision, use_threads
from ctr.training.rows import gather

B, FIELDS, DIM, HIDDEN, VOCABULARY = 4096, 26, 16, (400, 400, 400), 1_000_000


def best(work: Callable[[], object], seconds: float = 2.0) -> float:
    """The shortest of the runs that fit into this time: what the machine can do undisturbed."""
    work()
    times, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def matrix_peak(dtype: torch.dtype) -> float:
    """GFLOP/s of a product of the shape of a hidden layer's."""
    a, b = torch.randn(B, 400).to(dtype), torch.randn(400, 400).to(dtype)
    return 2 * B * 400 * 400 / best(lambda: torch.mm(a, b)) / 1e9


def row_peak() -> float:
    """Random rows of DIM floats that are read a second, in millions, from a table of 5 million."""
    table, rows = torch.zeros(5_000_000, DIM), torch.randint(5_000_000, (200_000,))
    return len(rows) / best(lambda: gather(table, rows)) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    kernels = native.use("auto")
    precision, _ = find_precision("auto", torch.device("cpu"))
    peaks = {name: matrix_peak(dtype) for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16))}
    rows = row_peak()
    schema, made = batches(VOCABULARY, FIELDS, B)
    distinct = sum(len(batch.ids.unique()) for batch in made) / len(made)
    widths = [FIELDS * DIM, *HIDDEN, 1]
    products = sum(6 * B * a * b for a, b in pairwise(widths))  # forward, and two backward
    print(f"{kernels}, {arguments.threads} threads")
    print(f"peak of matrix products: fp32 {peaks['fp32']:,.0f}, bf16 {peaks['bf16']:,.0f} GFLOP/s")
    print(f"peak of random rows: {rows:,.0f} million of {DIM} floats a second ({rows * DIM * 4 / 1000:.1f} GB/s)")
    print(f"a batch: {B * FIELDS:,} slots, {distinct:,.0f} different rows\n")
    print("| model | precision | ms a step | matrix work, share of peak | rows, share of peak |")
    print("|---|---|---:|---:|---:|")
    for model, work in (("deepfm", products), ("fm", 0)):
        steps = stepper(model, schema, made, [f"model.embedding_dim={DIM}", f"precision={precision}"])
        seconds = best(lambda steps=steps: steps(5), 5.0) / 5  # type: ignore[misc]
        touched = 2 * 3 * distinct  # weight and two moments, read and written
        matrix = f"{work / seconds / 1e9 / peaks[precision]:.0%}" if work else "-"
        print(f"| {model} | {precision} | {1000 * seconds:.2f} | {matrix} | {touched / seconds / 1e6 / rows:.0%} |")


if __name__ == "__main__":
    main()
