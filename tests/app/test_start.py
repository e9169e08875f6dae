"""start=mean: the first predictions are the mean label, wherever a model has a constant."""

import copy
from pathlib import Path

import pytest
import torch

from ctr.app import start
from ctr.app.config import build, plain
from ctr.training import LogLoss, SquaredError
from tests.app.compose import config
from tests.conftest import ROOT
from tests.training.builders import data

OBJECTIVE = SquaredError(reduction="mean", plus_minus_one=False, clip=True)
MODELS = sorted(path.stem for path in Path(ROOT, "configs", "model").glob("*.yaml"))
ADDED = ["lr", "fm", "hofm", "ffm", "fmfm", "poly2", "afm"]  # models which add first-order weights to the logit
ADDED += ["wide_deep", "lr_dnn", "fm_dnn", "deepfm", "nfm", "xdeepfm", "fibinet"]
SWITCHES = [
    ("fwfm", "model.first_order=FeLV"),
    ("fwfm", "model.first_order=LW"),
    ("deepfm", "model.bias=true"),
    ("deepfm", "model.weigh_logits=true"),
    ("deepfm", "model.fm_output=vector"),
    ("xdeepfm", "model.hidden_dims=[]"),
    ("finalnet", "model.second_hidden_dims=[]"),
    ("nfm", "model.bias=false", "model.head_bias=true"),
]


def model(*overrides: str):
    return build(plain(config(*overrides))["model"], (), "model", schema=data().schema)


@pytest.mark.parametrize("words", [(name,) for name in MODELS] + SWITCHES, ids="-".join)
def test_every_logit_of_every_model_moves_to_the_mean_label(words):
    made, batch = model(f"model={words[0]}", *words[1:]).eval(), data().rows("valid")
    with torch.no_grad():
        before = made(batch.ids, batch.values)
    assert "starts at" in start.at("mean", made, OBJECTIVE, data())
    moved = made(batch.ids, batch.values) - before
    torch.testing.assert_close(moved, torch.full((len(batch),), data().mean_label), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["lr", "fm", "deepfm", "nfm", "wide_deep", "fnn", "finalnet"])
def test_a_model_without_weights_starts_with_the_mean_label(name):
    made, batch = model(f"model={name}"), data().rows("valid")
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.zero_()
    assert "starts at" in start.at("mean", made, OBJECTIVE, data())
    torch.testing.assert_close(made.eval()(batch.ids, batch.values), torch.full((len(batch),), data().mean_label))


@pytest.mark.parametrize("name", MODELS)
def test_nothing_else_of_the_model_has_changed(name):
    made = model(f"model={name}").train()
    before = copy.deepcopy(made.state_dict())
    constants = {id(parameter) for parameter in start.constants(made, data().schema)}
    assert start.adds_linear(made, data().schema) == (name in ADDED)
    start.at("mean", made, OBJECTIVE, data())
    assert all(module.training for module in made.modules())
    named = {key: id(parameter) for key, parameter in made.named_parameters()}
    assert all(
        torch.equal(before[key], value) for key, value in made.state_dict().items() if named.get(key) not in constants
    )


def test_without_w_0_it_is_the_bias_of_the_head():
    made = model("model=dnn")
    start.at("mean", made, OBJECTIVE, data())
    assert made.head.bias.item() == pytest.approx(data().mean_label)


@pytest.mark.parametrize("name", ["deepfm", "nfm", "xdeepfm"])
def test_first_order_weights_from_an_earlier_stage_have_its_constant_in_them(name):
    made = model(f"model={name}")
    before = copy.deepcopy(made.state_dict())
    assert start.at("mean", made, OBJECTIVE, data(), trained=["linear", "embedding"]) == ""
    assert all(torch.equal(before[key], value) for key, value in made.state_dict().items())
    assert "starts at" in start.at("mean", made, OBJECTIVE, data(), trained=["embedding"])


def test_where_they_are_a_networks_input_they_have_not():
    made = model("model=fnn")
    assert "starts at" in start.at("mean", made, OBJECTIVE, data(), trained=["linear", "embedding"])
    assert made.head.bias.item() == pytest.approx(data().mean_label)
    assert made.linear.bias.item() == 0


def test_without_any_constant_it_says_so_and_zero_changes_nothing():
    made = model("model=lr", "model.bias=false")
    before = {name: tensor.clone() for name, tensor in made.state_dict().items()}
    assert "changes nothing" in start.at("mean", made, OBJECTIVE, data())
    assert start.at("zero", made, OBJECTIVE, data()) == ""
    assert all(torch.equal(before[name], tensor) for name, tensor in made.state_dict().items())


def test_a_paper_s_and_a_benchmark_s_protocol_start_at_zero_and_all_else_at_the_mean():
    starts = {task: config(f"task={task}").start for task in ("regression", "binary", "plus_minus_one")}
    assert starts == {"regression": "mean", "binary": "mean", "plus_minus_one": "zero"}
    assert config("dataset=movielens_100k", "dataset.root=x").start == "mean"
    assert config("trainer=bars").start == "zero"
    assert config("experiment=nfm_frappe", "dataset.root=x").start == "zero"


@pytest.mark.parametrize("rate", [0.001, 0.3])
def test_clicks_start_at_their_rate(rate):
    objective, labels = LogLoss(reduction="mean"), torch.tensor([1.0, 0.0])
    logits = torch.full((2,), objective.constant(rate), dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(logits.detach().sigmoid(), torch.full((2,), rate, dtype=torch.float64))
    weights = torch.tensor([rate, 1 - rate])  # of the best constant the loss has no slope
    objective.loss(logits, labels.double(), weights.double()).backward()
    assert logits.grad.sum().abs() < 1e-7


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_labels_that_are_all_alike_have_a_finite_constant(rate):
    assert 10 < abs(LogLoss(reduction="mean").constant(rate)) < 20
