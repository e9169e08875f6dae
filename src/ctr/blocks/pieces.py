"""Rows a piece at a time: what is made of them on the way, many times their size, never exists as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

NUMBERS = {"cpu": 2**18}  # that a piece may make of its rows: on a CPU those that its cache holds
ELSEWHERE = 2**27


def pieces(numbers: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Tensors with as many rows, cut alike; `numbers` is how many are made of a row."""
    size = max(1, NUMBERS.get(tensors[0].device.type, ELSEWHERE) // numbers)
    return zip(*(tensor.split(size) for tensor in tensors), strict=True)
