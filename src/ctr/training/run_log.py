"""What a training leaves to read: lines on the console, one JSON line a record, and TensorBoard."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

import rich.progress
from rich.console import Console
from torch.utils.tensorboard import SummaryWriter

from ctr import disk
from ctr.metrics import Scores
from ctr.training.progress import Progress

COLUMNS = (
    rich.progress.TextColumn("{task.description}"),
    rich.progress.BarColumn(),
    rich.progress.MofNCompleteColumn(),
    rich.progress.TimeRemainingColumn(),
    rich.progress.TextColumn("{task.fields[note]}"),
)
METRICS = "metrics.jsonl"


class RunLog:
    """The log of one stage, in its folder. Records of steps after `progress`, from before a kill, are dropped.

    TensorBoard shows every record by its step, and the loss and the scores of the console also by the examples seen
    until then, which is what runs of different batch sizes can be compared by. These are few charts of a family of
    their own, `by_examples/`: one chart of TensorBoard has one axis for all runs in it.

    A terminal also gets a bar with rate, time left, loss and the last valid score.
    """

    def __init__(self, folder: Path, console: Console, progress: Progress, total_steps: int, monitor: str):
        folder.mkdir(parents=True, exist_ok=True)
        kept = _keep_up_to(folder / METRICS, progress.step)
        self.file = (folder / METRICS).open("a", encoding="utf-8")
        self.writer = SummaryWriter(str(folder), purge_step=progress.step + 1)
        self.console, self.monitor = console, monitor
        for record in kept:  # the writer has taken back what stands at its first step or later, and examples are more
            if record["examples"] > progress.step:
                self._by_examples(record)
        self.bar = rich.progress.Progress(*COLUMNS, console=console, transient=True, disable=not console.is_terminal)
        self.task = self.bar.add_task("training", total=total_steps, completed=progress.step, note="")
        self.started, self.seconds_before = time.perf_counter(), progress.seconds
        self.mark = (self.started, progress.examples)
        self.last_loss, self.last_score = math.nan, ""

    def __enter__(self) -> RunLog:
        self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.bar.stop()
        self.file.close()
        self.writer.close()

    def seconds(self) -> float:
        """Spent on this stage, earlier starts included."""
        return self.seconds_before + time.perf_counter() - self.started

    def train(self, progress: Progress, values: Mapping[str, float]) -> None:
        """A record of the steps since the last one; their losses are forgotten."""
        now, (then, examples) = time.perf_counter(), self.mark
        rate = (progress.examples - examples) / max(now - then, 1e-9)
        self.last_loss, self.last_rate, progress.losses = progress.mean_loss, rate, (0.0, 0)
        self._write("train", {"loss": self.last_loss, "examples_per_second": rate, **values}, progress)
        note = f"loss {self.last_loss:.4f}  {rate:,.0f} examples/s  {self.last_score}"
        self.bar.update(self.task, completed=progress.step, note=note)
        self.mark = (time.perf_counter(), progress.examples)

    def valid(self, progress: Progress, scores: Scores) -> None:
        """A record and a line of an evaluation."""
        self._write("valid", scores.values, progress)
        self.writer.flush()  # before the checkpoint: a killed run goes on behind what is shown
        shown = "  ".join(f"{name} {scores.values[name]:.5f}" for name in self._few(scores.values))
        self.last_score = f"valid {self.monitor} {scores.values[self.monitor]:.5f}"
        best = "  best" if progress.improvements[-1] else ""
        self.console.print(
            f"epoch {progress.epoch:>3}  step {progress.step:>7,}  loss {self.last_loss:.4f}  "
            f"{self.last_rate:>9,.0f} examples/s  valid {shown}{best}",
            soft_wrap=True,
            highlight=False,
        )
        self.mark = (time.perf_counter(), progress.examples)

    def _write(self, split: str, values: Mapping[str, float], progress: Progress) -> None:
        """One JSON line; TensorBoard's names are `<split>/<metric>`."""
        named = {f"{split}/{name}": value for name, value in values.items()}
        record = {"step": progress.step, "examples": progress.examples, **named}
        self.file.write(json.dumps(record) + "\n")
        self.file.flush()
        for name, value in named.items():
            self.writer.add_scalar(name, value, progress.step)
        self._by_examples(record)

    def _by_examples(self, record: Mapping[str, float]) -> None:
        scores = [name.removeprefix("valid/") for name in record if name.startswith("valid/")]
        for name in ["train/loss"] if "train/loss" in record else [f"valid/{name}" for name in self._few(scores)]:
            self.writer.add_scalar(f"by_examples/{name.replace('/', '_')}", record[name], int(record["examples"]))

    def _few(self, scores: Iterable[str]) -> list[str]:
        """The monitor and the first two; the others are in the record."""
        return list(dict.fromkeys([self.monitor, *list(scores)[:2]]))


def _keep_up_to(path: Path, step: int) -> list[dict[str, float]]:
    """Drops the records after this step; returns the others."""
    if not path.exists():
        return []
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
    disk.write_text(path, "".join(f"{line}\n" for line in kept))
    return [json.loads(line) for line in kept]


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError):
        return float("inf")  # a line that a kill cut short
