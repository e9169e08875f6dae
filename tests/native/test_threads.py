"""A training with all kernels: the same twice, close at another number of threads, close to plain PyTorch."""

import pytest
import torch
import yaml

from ctr import native
from tests.conftest import ROOT, mixed_schema, random_batch
from tests.native.cases import names_called, threads
from tests.training import builders
from tests.training.builders import MODELS
from tests.training.tables import grouped, lazy, step

CONFIGS = {name: yaml.safe_load((ROOT / f"configs/model/{name}.yaml").read_text()) for name in MODELS}
RELU = {
    name: {"activation": "relu"} for name, config in CONFIGS.items() if {"activation", "hidden_dims"} <= set(config)
}
LARGE = {  # logarithms and batch norms of vectors near 0 make large differences of roundings
    name: {"init_std": 0.3} for name, config in CONFIGS.items() if "init_std" in config
}
WITHOUT_DROPOUT = {name: {key: 0.0 for key in config if key.endswith("dropout")} for name, config in CONFIGS.items()}
WITHOUT_NORM = {name: {key: False for key in config if key.endswith("batch_norm")} for name, config in CONFIGS.items()}
every_model = pytest.mark.parametrize("name", MODELS)


def trained(
    name: str, number: int, rows: int = 301, precision: str = "fp32", steps: int = 6, **changes
) -> dict[str, torch.Tensor]:
    """The state of a model after some steps on batches of `rows` rows at this number of threads."""
    threads(number)
    schema = mixed_schema()
    net = builders.model(name, schema, **RELU.get(name, {}), **LARGE.get(name, {}), **changes)
    optimizer = grouped(net, lazy("adam", eps=1e-3))
    for seed in range(steps):
        batch = random_batch(schema, rows, seed)
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            step(net, optimizer, (batch.ids, batch.values, batch.labels))
    optimizer.catch_up()
    return net.state_dict()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("number", [1, 2])
@every_model
def test_the_same_training_twice_is_bit_for_bit_the_same(name, number, precision):
    one, other = (trained(name, number, precision=precision) for _ in range(2))
    assert builders.differing(one, other) == []


@pytest.mark.parametrize("rows", [2, 3, 301])
@every_model
def test_another_number_of_threads_changes_only_roundings(name, rows):
    """After two steps: in deep models with products, each makes ten times as much of a rounding. A batch norm of two or
    three rows is left out for the same reason; tests/native/test_units.py has it alone."""
    changes = {"steps": 2, **(WITHOUT_NORM[name] if rows < 10 else {})}
    one, other = (trained(name, number, rows, **changes) for number in (1, 2))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@every_model
def test_plain_pytorch_gives_the_same_training_but_for_roundings(name, monkeypatch):
    names = names_called(monkeypatch)
    ours = trained(name, 2, steps=2, **WITHOUT_DROPOUT[name])
    expected = {"units_f32"} if name in RELU else set()
    if not any(getattr(module, "reads_ids", False) for module in builders.model(name, mixed_schema()).modules()):
        expected |= {"adam_rows", "adam_catch_up", "gather"}
    assert names
    assert expected <= set(names)
    native.use("plain")  # where the gradient of a bias before a batch norm is a rounding error, and here it is 0
    torch.testing.assert_close(ours, trained(name, 2, steps=2, **WITHOUT_DROPOUT[name]), rtol=1e-3, atol=5e-4)
