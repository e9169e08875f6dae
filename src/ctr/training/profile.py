"""Where the time of a training goes: a table of its phases, and a Chrome trace of a few steps."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.profiler import ProfilerActivity, record_function

PHASES = {
    "load": "the next batch",
    "lookup": "ids to rows, and rows to vectors",
    "forward": "the rest of the model, and the loss",
    "backward": "gradients, of tables too",
    "clip": "L2, and the gradients' norm",
    "table update": "tables that are trained by the rows of the batch",
    "network update": "all that is trained by dense steps",
    "evaluation": "the valid split",
    "checkpoint": "saving",
    "other": "the loop itself, and its log",
}
FIRST, LAST = 10, 20  # the trace holds the steps between
TRACE = "trace.json"

Item = TypeVar("Item")
_active: Profile | None = None


def phase(name: str) -> AbstractContextManager[Any]:
    """What runs inside counts to this phase, and not to the one around it. Free where nothing is profiled."""
    return nullcontext() if _active is None else _active.phase(name)


class Profile:
    """Measures the training that runs inside `with`; without `on` it does nothing."""

    def __init__(self, on: bool, model: nn.Module, device: torch.device, out: Path, console: Console, whole: bool):
        """`whole`: the model is compiled as one, and its blocks cannot be told apart."""
        self.on, self.model, self.device, self.out, self.console = on, model, device, out, console
        self.whole = whole
        self.seconds = dict.fromkeys(PHASES, 0.0)
        self.running, self.mark = ["other"], time.perf_counter()
        self.steps = self.traced = 0
        self.trace: torch.profiler.profile | None = None
        self.hooks: list[Any] = []
        self.marks: list[Any] = []  # of the lookups that are running

    def __enter__(self) -> Profile:
        global _active
        if self.on:
            _active = self
            for name, block in self.model.named_children():
                if name in ("embedding", "linear") and not self.whole:
                    self.hooks += [block.register_forward_pre_hook(self._enter_lookup)]
                    self.hooks += [block.register_forward_hook(self._leave_lookup)]
            self.mark = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        global _active
        if not self.on:
            return
        _active = None
        for hook in self.hooks:
            hook.remove()
        self._count()
        self._stop_trace()
        if self.steps:
            self.console.print(self._table())
        if self.traced:
            where = f"{self.out / TRACE} (chrome://tracing)"
            self.console.print(f"the trace of {self.traced} steps, from the {FIRST + 1}th on: {where}", soft_wrap=True)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self._count()
        self.running.append(name)
        try:
            with record_function(name):
                yield
        finally:
            self._count()
            self.running.pop()

    def loading(self, batches: Iterable[Item]) -> Iterator[Item]:
        """The batches, the time they take counted as "load"; a step is over when the next is asked for."""
        if not self.on:
            yield from batches
            return
        coming = iter(batches)
        while True:
            with self.phase("load"):
                try:
                    batch = next(coming)
                except StopIteration:
                    return
            yield batch
            self.steps += 1
            if self.steps == FIRST:
                self._start_trace()
            elif self.steps == LAST:
                self._stop_trace()

    def _count(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        now = time.perf_counter()
        self.seconds[self.running[-1]] += now - self.mark
        self.mark = now

    def _enter_lookup(self, *_: Any) -> None:
        if "evaluation" not in self.running:
            self.marks.append(self.phase("lookup"))
            self.marks[-1].__enter__()

    def _leave_lookup(self, *_: Any) -> None:
        if self.marks:
            self.marks.pop().__exit__(None, None, None)

    def _start_trace(self) -> None:
        """What it takes does not count."""
        self._count()
        activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (self.device.type == "cuda")
        self.trace = torch.profiler.profile(activities=activities)
        self.trace.__enter__()
        self.mark = time.perf_counter()

    def _stop_trace(self) -> None:
        if self.trace is not None:
            self._count()
            self.trace.__exit__(None, None, None)
            self.traced = self.steps - FIRST
            if self.traced:
                self.trace.export_chrome_trace(str(self.out / TRACE))
            self.trace, self.mark = None, time.perf_counter()

    def _table(self) -> Table:
        table = Table(title=f"{self.steps:,} steps")
        for title in ("phase", "ms a step", "share", "what"):
            table.add_column(title, justify="left" if title in ("phase", "what") else "right")
        total = sum(self.seconds.values())
        for name, what in PHASES.items():
            seconds = self.seconds[name]
            table.add_row(name, f"{1000 * seconds / self.steps:.3f}", f"{seconds / total:.1%}", what)
        return table
