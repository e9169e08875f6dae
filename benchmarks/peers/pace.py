"""Lets training loops of several libraries take turns, each in its own process and untouched.

    import pace
    pace.start(steps=20)
    library.fit(...)

After its first 5 optimizer steps the process prints `PACE {"ready": true}` and waits for a line on stdin. For each line
it trains `steps` further steps in the library's own loop, prints `PACE {"seconds": ..., "steps": ..., "peak_mib": ...}`
and waits again. At the end of stdin the process ends. Needs nothing but torch and the standard library, so that it runs
in every library's environment.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time

import torch

WARM_UP = 5


class Pace:
    def __init__(self, steps: int):
        self.steps, self.done, self.warm = steps, 0, False
        self.out = os.fdopen(os.dup(1), "w", buffering=1)  # a library that redirects sys.stdout does not reach it
        self.started = 0.0

    def step(self, *_: object) -> None:
        """To be called after every optimizer step."""
        self.done += 1
        if not self.warm and self.done == WARM_UP:
            self.warm = True
            self._wait({"ready": True})
        elif self.warm and self.done == self.steps:
            _finish()
            seconds = time.perf_counter() - self.started
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            self._wait({"seconds": seconds, "steps": self.steps, "peak_mib": peak})

    def _wait(self, message: dict[str, object]) -> None:
        print("PACE " + json.dumps(message), file=self.out, flush=True)
        if not sys.stdin.readline():
            os._exit(0)
        _finish()
        self.done, self.started = 0, time.perf_counter()


def _finish() -> None:
    """Waits for what a GPU still has to do."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def start(steps: int = 20) -> Pace:
    """Hooks the end of every torch optimizer's step."""
    from torch.optim.optimizer import register_optimizer_step_post_hook

    made = Pace(steps)
    register_optimizer_step_post_hook(made.step)
    return made
