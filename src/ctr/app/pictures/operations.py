"""What torch's operations between blocks are to a picture."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor
from torch.overrides import resolve_name

NUM_ROWS = 61  # of the batch that is traced; a first dimension of so many is B
# these hand their numbers on as they are; the shape that the next block sees tells what they do
UNSEEN = "squeeze unsqueeze flatten unflatten view reshape transpose permute expand chunk split contiguous to float"
UNSEEN += " double getitem get index_select clone unbind"
CONSTANT = "ones_like zeros_like full_like new_zeros new_ones"
TITLES = {"cat": "concat", "add": "+", "radd": "+", "sub": "-", "mul": "×", "rmul": "×", "ne": "≠ 0", "and": "and"}
TITLES |= {"matmul": "weighted sum", "rmatmul": "weighted sum", "stack": "stack", "sum": "sum of components"}


def operation(func: Any) -> str:
    """The bare name of a function of torch, as `add`."""
    name = (resolve_name(func) or getattr(func, "__name__", "")).split(".")
    last = name[-1] if name[-1] not in ("__get__", "__func__") else "get"
    return last.strip("_")


def shape_of(tensor: Tensor, batch: bool = True) -> str:
    """As (B, 10, 64)."""
    sizes = [f"{size:,}" for size in tensor.shape]
    if batch and sizes and tensor.shape[0] == NUM_ROWS:
        sizes[0] = "B"
    return f"({', '.join(sizes)}{',' if len(sizes) == 1 else ''})"


def tensors(things: Iterable[Any]) -> Iterator[Tensor]:
    for thing in things:
        if isinstance(thing, Tensor):
            yield thing
        elif isinstance(thing, (list, tuple)):
            yield from tensors(thing)
