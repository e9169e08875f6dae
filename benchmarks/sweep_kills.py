"""Does a sweep that is killed again and again end with the table of one that nobody disturbs?

    python benchmarks/sweep_kills.py --kills 20
    python benchmarks/sweep_kills.py --kills 20 --launcher joblib -- dataset=frappe model=fm,nfm seed=1,2 threads=1

One sweep runs undisturbed. Others of the same words are killed, by SIGKILL at random moments of its duration, and
started again by the same command, until as many kills as asked for have struck: in turn the process of the sweep and
that of a run. A sweep that has come to its end is compared with the first, every score to its last digit; only seconds
and memory may differ. Prints a line a kill and a verdict, and leaves with status 1 if anything differed. Linux only:
the process of a run is found by the lock that it holds.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
WORDS = [
    *("model=fm,nfm", "seed=1,2", "threads=1", "trainer=debug", "trainer.max_steps=300", "trainer.max_epochs=99"),
    *("trainer.patience=null", "trainer.save_every=20", "dataset.num_train=20000", "dataset.num_valid=2000"),
    *("dataset.num_test=2000", "dataset.num_fields=4", "dataset.vocabulary=50"),
]


def command(folder: Path, words: list[str], launcher: str) -> list[str]:
    said = [*words, f"hydra.sweep.dir={folder}", f"hydra/launcher={launcher}"]
    return [sys.executable, str(ROOT / "train.py"), "-m", *said]


def start(folder: Path, words: list[str], launcher: str) -> subprocess.Popen[bytes]:
    """What it says is in a file beside the folder, the last call's."""
    with folder.with_suffix(".txt").open("wb") as said:
        return subprocess.Popen(  # noqa: S603
            command(folder, words, launcher), stdout=said, stderr=subprocess.STDOUT, cwd=ROOT
        )


def scores(folder: Path) -> dict[str, Any]:
    """Everything that the finished runs of a sweep have scored, without what it cost."""
    return {
        path.parent.name: without_costs(json.loads(path.read_text(encoding="utf-8")))
        for path in sorted(folder.glob("*/scores.json"))
    }


def without_costs(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: without_costs(value) for key, value in node.items() if key not in ("seconds", "memory")}
    return node


def processes_of_runs(folder: Path) -> list[int]:
    """Those that hold the lock of a run's folder."""
    found = []
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            held = Path(os.readlink(link))
        except OSError:  # it has ended meanwhile, or is somebody else's
            continue
        if held.name == ".lock" and held.is_relative_to(folder):
            found.append(int(link.parts[2]))
    return sorted(set(found))


def kill(sweep: subprocess.Popen[bytes], folder: Path, run: bool) -> str:
    """Kills a run of the sweep, if there is one and it is asked for, else the sweep. Says which."""
    runs = processes_of_runs(folder) if run else []
    if runs:
        os.kill(runs[0], signal.SIGKILL)
        sweep.wait()  # which goes on with the other runs
        return "a run"
    sweep.kill()
    sweep.wait()
    return "the sweep"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", help="of the sweep, after --; two models and two seeds by default")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--launcher", default="basic", help="basic (one run at a time), or joblib")
    arguments = parser.parse_args()
    words = arguments.words or WORDS
    moments = random.Random(arguments.seed)  # noqa: S311
    with tempfile.TemporaryDirectory(prefix="sweep-kills-") as name:
        base = Path(name)
        began = time.monotonic()
        if start(base / "whole", words, arguments.launcher).wait():
            raise SystemExit((base / "whole.txt").read_text(encoding="utf-8"))
        seconds, whole = time.monotonic() - began, scores(base / "whole")
        print(f"undisturbed: {len(whole)} runs in {seconds:.0f} s", flush=True)
        kills, sweeps, equal = 0, 0, True
        while kills < arguments.kills or (base / str(sweeps)).exists():
            folder = base / str(sweeps)
            sweep = start(folder, words, arguments.launcher)
            moment = moments.uniform(0, seconds) if kills < arguments.kills else None  # the last is left to its end
            try:
                status = sweep.wait(moment)
            except subprocess.TimeoutExpired:
                what = kill(sweep, folder, run=kills % 2 == 1)
                kills += 1
                print(f"kill {kills}: {what} after {moment:.1f} s, {len(scores(folder))} runs finished", flush=True)
                continue
            same = status == 0 and scores(folder) == whole
            print(f"sweep {sweeps + 1}: status {status}, {'equal' if same else 'NOT EQUAL'}", flush=True)
            if status:
                raise SystemExit(folder.with_suffix(".txt").read_text(encoding="utf-8"))
            equal, sweeps = equal and same, sweeps + 1
    print(f"{kills} kills, {sweeps} sweeps to their ends: the tables are {'equal' if equal else 'NOT EQUAL'}")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
