"""How much faster is a sweep in two processes than one run after the other?

    python benchmarks/sweep_parallel.py
    python benchmarks/sweep_parallel.py --rounds 3 -- dataset=frappe experiment=fm_frappe_bars,nfm_frappe_bars seed=1,2

The same sweep in turn serially and by hydra/launcher=joblib, every time in a fresh folder; a ratio is taken within a
round. Where the words do not say threads=..., a serial run has all cores and a parallel one its share. Times are of the
whole command, from Python's start to the table. Needs the extra `launch`. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
WORDS = ["model=fm,lr,deepfm,nfm", "seed=1,2,3,4,5", "trainer.max_epochs=3"]


def seconds(folder: Path, words: list[str]) -> float:
    began = time.perf_counter()
    command = [sys.executable, "train.py", "-m", *words, f"hydra.sweep.dir={folder}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="of the sweep, after --; four models and five seeds by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    words = arguments.words or WORDS
    parallel = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={arguments.processes}"]
    ratios = []
    print(f"| round | serial, s | {arguments.processes} processes, s | times as fast |\n|---|---:|---:|---:|")
    for number in range(1, arguments.rounds + 1):
        with tempfile.TemporaryDirectory(prefix="sweep-parallel-") as name:
            kinds = {"serial": words, "parallel": [*words, *parallel]}
            order = list(kinds) if number % 2 else list(kinds)[::-1]
            took = {kind: seconds(Path(name) / kind, kinds[kind]) for kind in order}
        ratios.append(took["serial"] / took["parallel"])
        print(f"| {number} | {took['serial']:.1f} | {took['parallel']:.1f} | {ratios[-1]:.2f} |", flush=True)
    print(f"\nmedian {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}")


if __name__ == "__main__":
    main()
