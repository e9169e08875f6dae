"""What a run is told of a machine whose cores have other work."""

import pytest

from ctr.app import busy


@pytest.fixture
def machine(monkeypatch):
    """A machine of four cores; tells which of its hundred ticks were idle, or waiting for a disk."""
    monkeypatch.setattr("os.cpu_count", lambda: 4)

    def is_(idle: int, waiting: int = 0) -> None:
        counts = iter(
            [[500, 10, 90, 7000, 3, 0, 0, 0], [600 - idle - waiting, 10, 90, 7000 + idle, 3 + waiting, 0, 0, 0]]
        )
        monkeypatch.setattr(busy, "_ticks", lambda: next(counts))

    return is_


@pytest.mark.parametrize(
    ("idle", "waiting", "threads", "instead"),
    [
        (100, 0, 4, None),
        (95, 0, 4, None),
        (50, 45, 4, None),
        (75, 0, 4, 3),
        (75, 0, 3, None),
        (50, 0, 3, 2),
        (50, 0, 2, None),
        (0, 0, 2, 1),
        (0, 0, 1, None),
    ],
)
def test_a_run_whose_threads_lack_cores_is_told_of_it(machine, idle, waiting, threads, instead):
    machine(idle, waiting)
    told = busy.warning(threads, seconds=0)
    if instead is None:
        assert told is None
    else:
        assert f"{(100 - idle) / 25:.1f} of 4 cores busy, and {threads} threads" in told
        assert f", threads={instead} is faster" in told


@pytest.mark.parametrize("text", [None, "", "cpu\n", "cpu a b\n", "cpu 1 2 3 4 5 6 7 8 9 10\n"])
def test_a_system_that_does_not_count_so_tells_nothing(monkeypatch, tmp_path, text):
    monkeypatch.setattr(busy, "STAT", tmp_path / "stat")
    if text is not None:
        busy.STAT.write_text(text)
    assert busy.warning(2, seconds=0) is None  # nothing to read, nothing that reads so, or no tick has passed


def test_the_counts_of_linux_are_read(monkeypatch, tmp_path):
    monkeypatch.setattr(busy, "STAT", tmp_path / "stat")
    busy.STAT.write_text("cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
    assert busy._ticks() == [1, 2, 3, 4, 5, 6, 7, 8]
