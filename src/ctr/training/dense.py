"""Torch's optimizers without their provisions for torch.compile, whose first use imports its front end: that takes as
long as importing torch, and a run is to start at once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.optim import Optimizer

Kind = TypeVar("Kind", bound=type[Optimizer])


def uncompiled(kind: Kind) -> Kind:
    """`kind` with the methods that torch wrote, out of the wrappers that keep them from being compiled. Steps are the
    same; one that is itself to be compiled, or `differentiable`, is none of these."""
    names = ("add_param_group", "state_dict", "load_state_dict", "zero_grad")
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in names}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "__doc__": kind.__doc__, **methods})  # type: ignore[return-value]


NAMES = ("Adam", "AdamW", "Adagrad", "SGD", "RMSprop", "Adadelta", "NAdam", "RAdam")
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {name: uncompiled(getattr(torch.optim, name)) for name in NAMES}
