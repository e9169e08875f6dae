"""What is asked of the system about memory changes no number, and is no error where the system does not know it."""

import ctypes
from pathlib import Path

import pytest
import torch

from ctr.training import memory

LARGE = 70 * 2**20 // 4  # floats


def asked(monkeypatch, answer: int = 0) -> list[tuple[int, int, int]]:
    """The calls of madvise from here on: address, length, advice."""
    calls = []

    class Libc:
        def madvise(self, *arguments):
            calls.append(tuple(argument if isinstance(argument, int) else argument.value for argument in arguments))
            return answer

    monkeypatch.setattr(ctypes, "CDLL", lambda name: Libc())
    return calls


def test_a_large_tensor_keeps_its_numbers_and_its_place():
    tensor = torch.arange(LARGE, dtype=torch.float32)
    place = tensor.data_ptr()
    memory.in_large_pages(tensor)
    assert tensor.data_ptr() == place
    assert torch.equal(tensor, torch.arange(LARGE, dtype=torch.float32))


def test_only_whole_pages_inside_the_tensor_are_asked_for(monkeypatch):
    calls = asked(monkeypatch)
    tensor = torch.empty(LARGE)
    memory.in_large_pages(tensor)
    assert [advice for _, _, advice in calls] == [memory.MADV_HUGEPAGE, memory.MADV_COLLAPSE]
    for address, length, _ in calls:
        assert address % memory.LARGE_PAGE == length % memory.LARGE_PAGE == 0
        assert tensor.data_ptr() <= address
        assert address + length <= tensor.data_ptr() + 4 * LARGE
        assert length > 4 * LARGE - 2 * memory.LARGE_PAGE


@pytest.mark.parametrize(
    "tensor", [torch.empty(1000), torch.empty(LARGE, device="meta")], ids=["small", "not on a CPU"]
)
def test_others_are_left_alone(monkeypatch, tensor):
    calls = asked(monkeypatch)
    memory.in_large_pages(tensor)
    assert calls == []


def test_a_system_that_refuses_is_no_error(monkeypatch):
    asked(monkeypatch, answer=-1)
    memory.in_large_pages(torch.empty(LARGE))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())  # no such function
    memory.in_large_pages(torch.empty(LARGE))
    memory.keep_freed()


def test_the_peak_is_that_of_what_came_since_the_last_was_forgotten():
    torch.empty(2**26).fill_(1.0)  # 256 MiB, given back at once
    before = memory.peak()["resident_mib"]
    if before is None or not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system tells no peak, or forgets none")
    memory.forget_peak()
    after = memory.peak()["resident_mib"]
    assert after < before - 200
    kept = torch.empty(2**26).fill_(1.0)
    assert memory.peak()["resident_mib"] == pytest.approx(after + kept.nbytes / 2**20, abs=50)
