"""SIGTERM, which schedulers send before they kill: finish the step, save, and leave."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Has a stop been asked for? False until the signal comes."""

    def __init__(self) -> None:
        self.asked = False

    def note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True  # nothing else: a handler may interrupt any line


@contextmanager
def on_sigterm() -> Iterator[StopRequest]:
    """Notes SIGTERM while the block runs. Signals reach the main thread alone; elsewhere nothing is noted."""
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = signal.signal(signal.SIGTERM, request.note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGTERM, before)
