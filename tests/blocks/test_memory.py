"""Weights are refused where they would not fit into memory, and only there."""

import pytest
import torch

from ctr.blocks import memory
from ctr.errors import UserError


def test_weights_fit_up_to_twelve_bytes_each(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 1200.0)
    memory.check_weights(100, "a table", "make it smaller")
    with pytest.raises(UserError, match=r"a table: 101 weights take .* make it smaller"):
        memory.check_weights(101, "a table", "make it smaller")
    with torch.device("meta"):
        memory.check_weights(101, "a table", "make it smaller")


def test_pairs_are_taken_up_to_their_limit():
    memory.check_pairs(memory.MAX_PAIRS, "slots", "take fewer")
    with pytest.raises(UserError, match=r"slots: 100,001 pairs .* at most 100,000 .* take fewer"):
        memory.check_pairs(memory.MAX_PAIRS + 1, "slots", "take fewer")


def test_this_machine_has_some_memory_and_one_that_does_not_say_how_much_refuses_nothing(monkeypatch):
    assert memory.machine_memory() > 1e8
    monkeypatch.delattr("os.sysconf", raising=False)
    assert memory.machine_memory() == float("inf")
