"""A training as a checkpoint, and back: weights, optimizer, random states, progress, schema."""

from __future__ import annotations

import platform
from typing import Any

import torch
from torch import Tensor, nn

from ctr import __version__
from ctr.errors import UserError
from ctr.schema import FeatureSchema
from ctr.training.checkpoint import Checkpoint
from ctr.training.optimizer import GroupedOptimizer
from ctr.training.progress import Progress


def take(model: nn.Module, optimizer: GroupedOptimizer, progress: Progress, schema: FeatureSchema) -> Checkpoint:
    """All that the next step depends on."""
    optimizer_tensors, optimizer_json = _split(optimizer.torch.state_dict())
    return Checkpoint(
        model=model.state_dict(),
        trainer={**optimizer_tensors, **_random_states(), **optimizer.rows.state_dict()},
        meta={
            "format": 1,
            "progress": progress.to_json(),
            "optimizer": optimizer_json,
            "schema": schema.to_json(),
            "fingerprint": schema.fingerprint,
            "threads": torch.get_num_threads(),
            "versions": {"ctr": __version__, "torch": torch.__version__, "python": platform.python_version()},
        },
    )


def put_back(checkpoint: Checkpoint, model: nn.Module, optimizer: GroupedOptimizer, schema: FeatureSchema) -> Progress:
    """Undoes `take`: the next step is then the one that would have followed. Returns the progress."""
    check_schema(checkpoint, schema)
    load_weights(model, checkpoint)
    optimizer.torch.load_state_dict(_join(checkpoint.trainer, checkpoint.meta["optimizer"]))
    optimizer.rows.load_state_dict(checkpoint.trainer)
    _set_random_states(checkpoint.trainer)
    return Progress.from_json(checkpoint.meta["progress"])


def check_schema(checkpoint: Checkpoint, schema: FeatureSchema) -> None:
    if (theirs := checkpoint.meta["fingerprint"]) != schema.fingerprint:
        old = FeatureSchema.from_json(checkpoint.meta["schema"]).fields
        names = {field.name for field in {*old} ^ {*schema.fields}}
        raise UserError(
            f"schema {theirs} of the checkpoint is not {schema.fingerprint} of the data: "
            f"{', '.join(sorted(names)) or 'the order of the fields'} differ. Train on the same files with the same "
            f"fields, or start a new run"
        )


def load_weights(model: nn.Module, checkpoint: Checkpoint) -> None:
    """Raises UserError where the weights are those of another model."""
    try:
        model.load_state_dict(checkpoint.model)
    except RuntimeError as error:
        lines = "; ".join(line.strip() for line in str(error).splitlines()[1:3])
        raise UserError(f"the checkpoint's weights do not fit this {type(model).__name__}: {lines}") from error


def _split(state: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """An optimizer's state as named tensors and JSON."""
    tensors, plain = {}, {}
    for index, values in state["state"].items():
        for name, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"optimizer.{index}.{name}"] = value
            else:
                plain[f"{index}.{name}"] = value
    return tensors, {"param_groups": state["param_groups"], "state": plain}


def _join(tensors: dict[str, Tensor], plain: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {
        name.removeprefix("optimizer."): tensor for name, tensor in tensors.items() if name.startswith("optimizer.")
    }
    state: dict[int, dict[str, Any]] = {}
    for path, value in {**values, **plain["state"]}.items():
        index, name = path.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    return {"state": state, "param_groups": plain["param_groups"]}


def _random_states() -> dict[str, Tensor]:
    states = {"random.cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states |= {f"random.cuda.{i}": state for i, state in enumerate(torch.cuda.get_rng_state_all())}
    return states


def _set_random_states(tensors: dict[str, Tensor]) -> None:
    torch.set_rng_state(tensors["random.cpu"])
    for i in range(torch.cuda.device_count()):
        if (state := tensors.get(f"random.cuda.{i}")) is not None:
            torch.cuda.set_rng_state(state, i)
