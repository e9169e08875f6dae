"""What a training step costs as one thing grows: vocabulary, batch size, embedding_dim, fields, threads.

    python benchmarks/scaling.py OUT            OUT.md, OUT.csv and OUT.png

Around 1 million ids, 26 fields, embedding_dim 16, batches of 4,096, two threads; networks of 400-400-400, bf16. The
values of an axis take turns of 10 steps, and ratios are taken within a round. Batches are ready: the loader is not
measured.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from pathlib import Path
from typing import Any

import matplotlib
import torch
from stepping import batches, stepper

from ctr import native
from ctr.training.device import use_threads

matplotlib.use("agg")
import matplotlib.pyplot as plt

BASE = {"vocabulary": 1_000_000, "batch_size": 4096, "embedding_dim": 16, "fields": 26, "threads": 2}
AXES = {
    "vocabulary": [100_000, 1_000_000, 5_000_000, 50_000_000],
    "batch_size": [1024, 4096, 16384],
    "embedding_dim": [8, 16, 64],
    "fields": [13, 26, 52],
    "threads": [1, 2],
}
MODELS = {
    "fm": [],
    "fnn": ["model.hidden_dims=[400,400,400]"],
    "deepfm": [],
    "nfm": ["model.hidden_dims=[400,400,400]"],
}
TURN = 10


def measure(model: str, axis: str, rounds: int, more: list[str]) -> list[dict[str, Any]]:
    steppers = {}
    for value in AXES[axis]:
        case = BASE | {axis: value}
        schema, made = batches(case["vocabulary"], case["fields"], case["batch_size"])
        chosen = [*MODELS[model], f"model.embedding_dim={case['embedding_dim']}", "precision=bf16", *more]
        steppers[value] = stepper(model, schema, made, chosen)
    seconds: dict[int, list[float]] = {value: [] for value in steppers}
    for _ in range(rounds):
        for value, steps in steppers.items():
            torch.set_num_threads(value if axis == "threads" else BASE["threads"])
            seconds[value].append(steps(TURN) / TURN)
    first = seconds[AXES[axis][0]]
    return [
        {
            "model": model,
            "axis": axis,
            "value": value,
            "ms": 1000 * statistics.median(times),
            "examples_per_second": (BASE | {axis: value})["batch_size"] / statistics.median(times),
            "times_first": statistics.median(t / f for t, f in zip(times, first, strict=True)),
        }
        for value, times in seconds.items()
    ]


def table(lines: list[dict[str, Any]]) -> str:
    text = ["| axis | value | " + " | ".join(f"{model}, ms a step (times the first)" for model in MODELS) + " |"]
    text += ["|---|---:|" + "---:|" * len(MODELS)]
    for axis, values in AXES.items():
        for value in values:
            found = {line["model"]: line for line in lines if (line["axis"], line["value"]) == (axis, value)}
            cells = [f"{found[m]['ms']:.2f} ({found[m]['times_first']:.2f})" if m in found else "" for m in MODELS]
            if found:
                text.append(f"| {axis} | {value:,} | {' | '.join(cells)} |")
    return "\n".join(text) + "\n"


def plot(lines: list[dict[str, Any]], path: Path) -> None:
    axes = list(dict.fromkeys(line["axis"] for line in lines))
    figure, panels = plt.subplots(1, len(axes), figsize=(3.2 * len(axes), 3), squeeze=False)
    for panel, axis in zip(panels[0], axes, strict=True):
        for model in MODELS:
            points = [line for line in lines if (line["model"], line["axis"]) == (model, axis)]
            panel.plot([p["value"] for p in points], [p["examples_per_second"] for p in points], "o-", label=model)
        panel.set(xscale="log", yscale="log", xlabel=axis, ylabel="examples/s" if axis == axes[0] else "")
    panels[0][0].legend()
    figure.tight_layout()
    figure.savefig(path, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="without suffix")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--axes", nargs="*", default=list(AXES), choices=list(AXES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("overrides", nargs="*", help="of the config, such as kernels=plain")
    arguments = parser.parse_args()
    use_threads(BASE["threads"])
    kernels = next((text.split("=")[1] for text in arguments.overrides if text.startswith("kernels=")), "auto")
    print(native.use(kernels))  # type: ignore[arg-type]
    lines: list[dict[str, Any]] = []
    for axis in arguments.axes:
        for model in arguments.models:
            lines += measure(model, axis, arguments.rounds, arguments.overrides)
            print(f"{axis}, {model}: {[round(line['ms'], 2) for line in lines[-len(AXES[axis]) :]]} ms", flush=True)
    arguments.out.with_suffix(".md").write_text(table(lines))
    with arguments.out.with_suffix(".csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)
    plot(lines, arguments.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
