"""What fast settings cost in test AUC: each against dense Adam in float32, over seeds.

    python benchmarks/accuracy.py OUT --criteo-like FOLDER      where criteo_like.csv is (benchmarks/criteo_like.py)

DeepFM on Frappe in BARS's protocol (whole-table L2), on movielens_tag with the defaults, and for an epoch of a million
Criteo-like rows.
Runs that are finished in OUT are not repeated; a difference is paired by seed, which fixes weights and order of rows.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DENSE = "optimizer@trainer.optimizer=adam"
ROWS = "optimizer@trainer.optimizer=lazy_adam"
VARIANTS = {
    "dense, fp32": [DENSE, "precision=fp32"],
    "dense, bf16": [DENSE, "precision=bf16"],
    "rows with catch-up, fp32": [ROWS, "precision=fp32"],
    "rows with catch-up, bf16": [ROWS, "precision=bf16"],
    "rows without catch-up, bf16": [ROWS, "trainer.optimizer.catch_up=false", "precision=bf16"],
}
DATASETS = {
    "frappe": ["experiment=deepfm_frappe_bars"],
    "movielens_tag": ["dataset=movielens_tag", "model=deepfm"],
    "criteo_like": ["dataset=criteo_like", "model=deepfm", "model.embedding_dim=16", "trainer.max_epochs=1"],
}


def run(out: Path, dataset: str, variant: str, seed: int, more: list[str], threads: int) -> None:
    folder = out / dataset / variant.replace(", ", "-").replace(" ", "-") / f"seed{seed}"
    if (folder / "scores.json").exists():
        return
    command = [sys.executable, "train.py", *DATASETS[dataset], *VARIANTS[variant], *more]
    command += [f"seed={seed}", f"threads={threads}", f"hydra.run.dir={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def scores(out: Path, dataset: str, variant: str) -> dict[int, dict[str, float]]:
    """Test AUC, log loss and seconds, by seed."""
    found = {}
    for path in sorted((out / dataset / variant.replace(", ", "-").replace(" ", "-")).glob("seed*/scores.json")):
        told = json.loads(path.read_text())
        numbers = {"auc": told["test"]["auc"], "log_loss": told["test"]["log_loss"], "seconds": told["seconds"]}
        found[int(path.parent.name.removeprefix("seed"))] = {**numbers, "epochs": told["epochs"]}
    return found


def table(out: Path) -> str:
    lines = [
        "| data | DeepFM trained with | seeds | test AUC | difference to dense fp32 | log loss | epochs | seconds |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for dataset in DATASETS:
        reference = scores(out, dataset, next(iter(VARIANTS)))
        for variant in VARIANTS:
            found = scores(out, dataset, variant)
            if not found:
                continue
            differences = [found[seed]["auc"] - reference[seed]["auc"] for seed in found if seed in reference]
            means = {name: statistics.mean(run[name] for run in found.values()) for name in found[min(found)]}
            spread = f"{statistics.stdev([run['auc'] for run in found.values()]):.5f}" if len(found) > 1 else "-"
            difference = f"{statistics.mean(differences):+.5f}" if differences else "-"
            if len(differences) > 1:
                difference += f" ± {statistics.stdev(differences) / len(differences) ** 0.5:.5f}"
            lines.append(
                f"| {dataset} | {variant} | {len(found)} | {means['auc']:.5f} ± {spread} | {difference} | "
                f"{means['log_loss']:.4f} | {means['epochs']:.1f} | {means['seconds']:.0f} |"
            )
    return "\n".join([*lines, "", "AUC ± standard deviation over seeds; difference ± its standard error."])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--criteo-like", type=Path, help="without it that dataset is left out")
    parser.add_argument("--datasets", nargs="*", default=list(DATASETS), choices=list(DATASETS))
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only-table", action="store_true")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if not arguments.only_table:
        with ThreadPoolExecutor(arguments.jobs) as pool:
            waiting = []
            for seed in range(1, arguments.seeds + 1):
                for dataset in arguments.datasets:
                    more = []
                    if dataset == "criteo_like":
                        if arguments.criteo_like is None:
                            continue
                        more = [f"dataset.root={arguments.criteo_like.resolve()}"]
                    for variant in arguments.variants:
                        waiting.append(pool.submit(run, out, dataset, variant, seed, more, arguments.threads))
            for each in waiting:
                each.result()
    print(table(out))


if __name__ == "__main__":
    main()
