"""start=mean: the first predictions are the mean label, wherever a model has a constant."""

import pytest
import torch

from ctr.app import start
from ctr.app.config import build, plain
from ctr.training import SquaredError
from tests.app.compose import config
from tests.training.builders import data

OBJECTIVE = SquaredError(reduction="mean", plus_minus_one=False, clip=True)


def model(*overrides: str):
    return build(plain(config(*overrides))["model"], (), "model", schema=data().schema)


@pytest.mark.parametrize("name", ["lr", "fm", "deepfm", "nfm", "wide_deep"])
def test_a_model_without_weights_starts_with_the_mean_label(name):
    made, batch = model(f"model={name}"), data().rows("valid")
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    assert "starts at" in start.at("mean", made, OBJECTIVE, data())
    torch.testing.assert_close(made.eval()(batch.ids, batch.values), torch.full((len(batch),), data().mean_label))


def test_without_w_0_it_is_the_bias_of_the_head():
    made = model("model=dnn")
    start.at("mean", made, OBJECTIVE, data())
    assert made.head.bias.item() == pytest.approx(data().mean_label)


def test_without_any_constant_it_says_so_and_zero_changes_nothing():
    made = model("model=lr", "model.bias=false")
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    assert "changes nothing" in start.at("mean", made, OBJECTIVE, data())
    assert start.at("zero", made, OBJECTIVE, data()) == ""
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())


def test_the_regression_task_starts_at_the_mean_and_the_others_at_zero():
    starts = {task: config(f"task={task}").start for task in ("regression", "binary", "plus_minus_one")}
    assert starts == {"regression": "mean", "binary": "zero", "plus_minus_one": "zero"}
    assert config("dataset=movielens_100k", "dataset.root=x").start == "mean"
