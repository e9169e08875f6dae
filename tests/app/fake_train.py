"""Stands for train.py in the tests of the search: a run folder of the same files, made in a moment and without torch.

A run has five evaluations, saves after each, goes on from there, and stops on SIGTERM. Its score is a known function of
what its command says. There is no test split in its scores: a search that looked at it would fail.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

EVALUATIONS, FAILS, NAN = 5, 5, 6
PAUSE = float(os.environ.get("FAKE_PAUSE", "0.01"))


def score(dim: int, lr: float, seed: int, step: int) -> float:
    """Best at a dim of 8 and a rate of 0.01; a hundredth of noise by the seed."""
    return 0.9 - 0.01 * abs(dim - 8) - abs(lr - 0.01) + 0.01 * ((seed * 7919) % 10) / 10 - 0.1 / step


def main(words: list[str]) -> None:
    said = dict(word.lstrip("+").split("=", 1) for word in words)
    folder = Path(said["hydra.run.dir"].strip("'"))
    dim, lr = int(said.get("model.embedding_dim", 10)), float(said.get("trainer.optimizer.lr", 0.001))
    seed = int(said["seed"])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = FileLock(folder / ".lock", blocking=False)
        lock.acquire()
    except Timeout:
        sys.exit(f"error: another process is training in {folder}")
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    whole(folder / "config.yaml", json.dumps({"threads": int(said["threads"]), "words": words}))
    if dim == FAILS:
        print("starting\nerror: dropout must be below 1", file=sys.stderr)
        sys.exit(1)
    checkpoints = folder / "train" / "checkpoints"
    done = max((int(path.name.removeprefix("step-")) for path in checkpoints.glob("step-*")), default=0)
    records = folder / "train" / "metrics.jsonl"
    lines = records.read_text().splitlines() if records.exists() else []
    for step in range(done + 1, EVALUATIONS + 1):
        time.sleep(PAUSE)
        with (folder / "work").open("a") as work:
            work.write(f"{step}\n")
        value = float("nan") if dim == NAN else score(dim, lr, seed, step)
        records.parent.mkdir(exist_ok=True)
        lines = [*lines[: step - 1], json.dumps({"step": step, "valid/auc": value})]
        whole(records, "\n".join(lines) + "\n")
        state = checkpoints / f"step-{step:08d}"
        partial = checkpoints / f".{step}-{os.getpid()}"
        partial.mkdir(parents=True)
        (partial / "meta.json").write_text(json.dumps({"progress": {"epoch": step, "seconds": 2.0 * step}}))
        partial.rename(state)
        if stopping:
            sys.exit(143)
    value = json.loads(lines[-1])["valid/auc"]
    costs = {"seconds": 2.0 * EVALUATIONS, "epochs": EVALUATIONS, "steps": EVALUATIONS}
    scores = {"valid": {"auc": value}, "seconds": costs["seconds"], "parameters": 100 * dim, "stages": {"train": costs}}
    whole(folder / "scores.json", json.dumps(scores))


def whole(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text)
    os.replace(partial, path)


if __name__ == "__main__":
    main(sys.argv[1:])
