"""A process of throughput.py: a library that trains in turns, and what it said."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "POLARS_MAX_THREADS")
REST = 0.5  # seconds before a turn, in which the threads of the last one stop spinning


class Died(Exception):
    pass


@dataclass
class Contender:
    name: str
    python: str
    script: Path
    process: subprocess.Popen[str] | None = None
    stderr: IO[str] | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    turns: list[dict[str, Any]] = field(default_factory=list)
    failure: str = ""

    def start(self, data: Path, settings: dict[str, Any], folder: Path, timeout: float) -> None:
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(settings))
        environment = os.environ | {key: str(settings["threads"]) for key in THREADS}
        self.stderr = (folder / f"{self.name}.stderr").open("w+")
        command = [self.python, str(self.script), str(data), str(path)]
        pipe = subprocess.PIPE
        try:
            self.process = subprocess.Popen(  # noqa: S603
                command, stdin=pipe, stdout=pipe, stderr=self.stderr, text=True, env=environment, errors="replace"
            )
        except OSError as problem:
            raise Died(str(problem)) from None
        self.wait("ready", timeout)

    def wait(self, key: str, timeout: float) -> dict[str, Any]:
        """Reads what the process says until a message has the key."""
        assert self.process is not None
        assert self.process.stdout is not None
        late = threading.Timer(timeout, self.process.kill)
        late.start()
        started = time.perf_counter()
        try:
            for line in self.process.stdout:
                _, mark, message = line.partition("PACE {")
                if mark:
                    said: dict[str, Any] = json.loads("{" + message)
                    self.facts |= said
                    if key in said:
                        return said
        finally:
            late.cancel()
        code, seconds = self.process.wait(), time.perf_counter() - started
        raise Died(f"exit code {code}" + (f": killed after {timeout:.0f} s" if seconds >= timeout else ""))

    def turn(self, timeout: float) -> dict[str, Any]:
        assert self.process is not None
        assert self.process.stdin is not None
        time.sleep(REST)
        busy, own, started = machine_seconds(), process_seconds(self.process.pid), time.perf_counter()
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Died(f"exit code {self.process.wait()}") from None
        said = self.wait("seconds", timeout)
        others = machine_seconds() - busy - (process_seconds(self.process.pid) - own)
        return said | {"others": max(others / (time.perf_counter() - started), 0.0)}

    def fail(self, problem: Died) -> None:
        tail = ""
        if self.stderr is not None:
            self.stderr.seek(0)
            tail = "\n".join(self.stderr.read().strip().splitlines()[-12:])
        self.failure = f"{problem}\n{tail}".strip()
        print(f"{self.name} died: {self.failure}", flush=True)

    def end(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    @property
    def version(self) -> str:
        return str(self.facts.get("version", ""))

    @property
    def counted(self) -> dict[int, float]:
        """Examples per second by round, without the disturbed turns; with them if there are no others."""
        turns = [turn for turn in self.turns if turn["quiet"]] or self.turns
        return {turn["round"]: turn["examples_per_second"] for turn in turns}

    def ratios(self, baseline: Contender) -> list[float]:
        """To the baseline's turn of the same round, of the rounds that count for both."""
        base = baseline.counted
        return [speed / base[round_] for round_, speed in self.counted.items() if round_ in base]


def machine_seconds() -> float:
    """Processor time that all processes have used so far, where /proc tells it."""
    try:
        user, nice, system, _, _, *interrupts = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:8])
    except OSError:
        return 0.0
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def process_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
