"""Weights of a trained model as another one's start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ctr.errors import UserError


def warm_start(model: nn.Module, trained: Mapping[str, Tensor], modules: Iterable[str]) -> None:
    """Copies these blocks of a trained model into `model`, strictly.

    Raises UserError, with the name, where a block has a parameter that the other side lacks or has in another shape.
    """
    state = model.state_dict()
    for module in modules:
        ours = {name for name in state if f"{name}.".startswith(f"{module}.")}
        theirs = {name for name in trained if f"{name}.".startswith(f"{module}.")}
        kind = type(model).__name__
        if not ours | theirs:
            raise UserError(f"warm start: neither {kind} nor the trained model has a block {module!r}")
        if odd := sorted(ours ^ theirs):
            raise UserError(
                f"warm start: {odd[0]!r} is only in {'the trained model' if odd[0] in theirs else kind}; give both "
                f"models the same block {module!r}, or name other blocks in warm_start.modules"
            )
        for name in sorted(ours):
            if state[name].shape != trained[name].shape:
                raise UserError(
                    f"warm start: {name!r} is {tuple(trained[name].shape)} in the trained model and "
                    f"{tuple(state[name].shape)} in {kind}; give both the same sizes"
                )
            state[name].copy_(trained[name])
