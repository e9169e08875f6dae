"""Groups, L2 and clipping against autograd and torch's own functions; Adagrad against its authors' arithmetic."""

import copy

import pytest
import torch
from torch import Tensor, nn

from ctr.batch import Batch
from ctr.blocks.mask import FieldLayerNorm
from ctr.errors import UserError
from ctr.training import LogLoss
from ctr.training.optimizer import GroupedOptimizer, read_groups
from tests.training import builders
from tests.training.builders import MODELS

CHANGES = {name: [{}] for name in MODELS} | {"deepfm": [{}, {"fm_output": "vector"}], "fnn": [{}, {"train_w_0": False}]}
VARIANTS = [pytest.param(name, changes, id=f"{name} {changes}") for name in MODELS for changes in CHANGES[name]]
every_model = pytest.mark.parametrize(("name", "changes"), VARIANTS)


def sgd(parameters: list[dict]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=9.0)  # the groups' own rates must win


def model(name: str, **changes: object) -> nn.Module:
    """In float64, without dropout and with no weight at 0, so that steps can be compared with autograd."""
    net = builders.model(name, **changes).double().eval()
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    return net


def batch() -> Batch:
    rows = builders.data().rows("train").take(slice(0, 6))
    return Batch(rows.ids, rows.values.double(), rows.labels.double())


def loss_of(net: nn.Module) -> Tensor:
    rows = batch()
    return LogLoss(reduction="mean").loss(net(rows.ids, rows.values), rows.labels, None)


def grouped(net: nn.Module, make=sgd, **settings) -> GroupedOptimizer:
    return GroupedOptimizer(net, make, read_groups(builders.groups(**settings)))


def backward(net: nn.Module, optimizer: GroupedOptimizer) -> None:
    optimizer.zero_grad()
    loss_of(net).backward()
    optimizer.add_l2()


def group_by_hand(name: str) -> str:
    kind = name.split(".")[0].split("_")[-1]
    return {"embedding": "embedding", "linear": "linear", "crosses": "linear"}.get(kind, "network")


def decayed_by_hand(net: nn.Module) -> list[str]:
    """All trained parameters but biases and the scales of norms."""
    kinds = (nn.BatchNorm1d, nn.LayerNorm, FieldLayerNorm)
    norms = [name for name, module in net.named_modules() if isinstance(module, kinds)]
    trained = [name for name, parameter in net.named_parameters() if parameter.requires_grad]
    return [n for n in trained if not n.split(".")[-1].startswith("bias") and n.rpartition(".")[0] not in norms]


def with_penalty(net: nn.Module, l2: dict[str, float]) -> Tensor:
    """The loss plus (l2 / 2) * ||p||^2 of each group, written out."""
    named = dict(net.named_parameters())
    return loss_of(net) + sum(l2[group_by_hand(n)] / 2 * named[n].square().sum() for n in decayed_by_hand(net))


@every_model
def test_every_trained_parameter_is_in_the_one_group_of_its_block(name, changes):
    net = model(name, **changes)
    rates = {"embedding": 0.1, "linear": 0.2, "network": 0.3}
    optimizer = grouped(net, **{group: {"lr": lr} for group, lr in rates.items()})
    found = [(id(p), group["lr"]) for group in optimizer.torch.param_groups for p in group["params"]]
    expected = [(id(p), rates[group_by_hand(n)]) for n, p in net.named_parameters() if p.requires_grad]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    "config",
    [
        {"embedding": {"lr": 1.0, "l2": 0.0}, "linear": {"lr": 1.0, "l2": 0.0}},
        builders.groups() | {"tables": {"lr": 1.0, "l2": 0.0}},
        builders.groups(embedding={"l3": 1.0}),
        builders.groups() | {"network": {"lr": 1.0}},
        builders.groups(linear={"lr": -0.1}),
        builders.groups(network={"l2": -0.1}),
    ],
    ids=["a missing group", "a wrong group", "a wrong setting", "a missing setting", "negative lr", "negative l2"],
)
def test_groups_that_are_not_the_three_are_refused(config):
    with pytest.raises(UserError, match="group"):
        read_groups(config)


@every_model
def test_each_group_moves_by_its_own_learning_rate(name, changes):
    net = model(name, **changes)
    before, rates = builders.weights(net), {"embedding": 0.5, "linear": 2.0, "network": 0.25}
    optimizer = grouped(net, **{group: {"lr": lr} for group, lr in rates.items()})
    backward(net, optimizer)
    optimizer.step()
    for n, p in net.named_parameters():
        moved = rates[group_by_hand(n)] * p.grad if p.requires_grad else torch.zeros_like(p)
        torch.testing.assert_close(p.detach(), before[n] - moved)


@pytest.mark.parametrize("frozen", ["embedding", "linear", "network"])
@pytest.mark.parametrize("kind", ["adam", "adagrad", "sgd"])
def test_a_learning_rate_of_zero_freezes_a_group_and_no_other(frozen, kind):
    net = model("nfm")
    before = builders.weights(net)
    optimizer = grouped(net, builders.optimizer(kind), l2=0.1, **{frozen: {"lr": 0.0}})
    backward(net, optimizer)
    optimizer.step()
    moved = {group_by_hand(n) for n, p in net.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"embedding", "linear", "network"} - {frozen}


def test_scaling_starts_from_the_given_rate_each_time():
    optimizer = grouped(model("fm"), lr=0.5, linear={"lr": 2.0})
    for scale in (0.1, 0.1, 1.0):
        optimizer.scale_lr(scale)
        assert optimizer.lrs() == {"lr_embedding": 0.5 * scale, "lr_linear": 2.0 * scale}


@every_model
def test_a_step_with_l2_is_the_step_of_the_loss_plus_half_l2_times_the_squared_norm(name, changes):
    net, l2 = model(name, **changes), {"embedding": 0.3, "linear": 0.2, "network": 0.1}
    trained = {n: p for n, p in net.named_parameters() if p.requires_grad}
    gradients = torch.autograd.grad(with_penalty(net, l2), list(trained.values()))
    expected = {n: p.detach() - 0.5 * g for (n, p), g in zip(trained.items(), gradients, strict=True)}
    optimizer = grouped(net, lr=0.5, **{group: {"l2": strength} for group, strength in l2.items()})
    backward(net, optimizer)
    optimizer.step()
    torch.testing.assert_close({n: p.detach() for n, p in trained.items()}, expected)


def test_l2_shrinks_the_rows_of_the_table_that_the_batch_does_not_touch():
    net = model("fm")
    table = net.embedding.table.weight
    untouched = torch.ones(len(table), dtype=torch.bool).index_fill(0, batch().ids.flatten(), False)
    assert untouched.any()
    before, optimizer = table.detach().clone(), grouped(net, lr=0.5, l2=0.1)
    backward(net, optimizer)
    optimizer.step()
    torch.testing.assert_close(table[untouched].detach(), before[untouched] * (1 - 0.5 * 0.1))


@pytest.mark.parametrize("name", MODELS)
def test_l2_leaves_biases_and_norms_alone(name):
    net = model(name)
    plain, optimizer = copy.deepcopy(net), grouped(net, l2=0.5)
    loss_of(plain).backward()
    backward(net, optimizer)
    pairs = zip(net.named_parameters(), plain.parameters(), strict=True)
    assert {n for (n, p), q in pairs if (p.grad != q.grad).any()} == set(decayed_by_hand(net))


@pytest.mark.parametrize("bound", [1e-3, 0.05, 1e3])
def test_clipping_is_torchs_over_all_groups_together_with_l2_included(bound):
    net, l2 = model("deepfm"), {"embedding": 0.3, "linear": 0.2, "network": 0.1}
    twin = copy.deepcopy(net)
    with_penalty(twin, l2).backward()
    norm = nn.utils.clip_grad_norm_(twin.parameters(), bound)
    optimizer = grouped(net, **{group: {"l2": strength} for group, strength in l2.items()})
    backward(net, optimizer)
    torch.testing.assert_close(optimizer.clip(bound), norm)
    for ours, torchs in zip(net.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, torchs.grad)


def test_without_a_bound_the_norm_is_told_and_the_gradients_stay():
    net = model("nfm")
    optimizer = grouped(net)
    backward(net, optimizer)
    before = [p.grad.clone() for p in net.parameters()]
    squares = sum(gradient.square().sum() for gradient in before)
    torch.testing.assert_close(optimizer.clip(None), squares.sqrt())
    assert all(torch.equal(p.grad, gradient) for p, gradient in zip(net.parameters(), before, strict=True))


def test_the_first_step_of_adagrad_is_that_of_the_nfm_authors():
    """lr * g / sqrt(1e-8 + g^2): with an eps, or an accumulator from 0.1, rare features would hardly move."""
    weights = nn.Parameter(torch.zeros(3))
    optimizer = builders.optimizer("adagrad")([{"params": [weights]}])
    weights.grad = torch.tensor([1e-5, 1e-3, 0.5])
    optimizer.step()
    torch.testing.assert_close(-weights.detach(), torch.tensor([0.004975186, 0.04975186, 0.05]), rtol=1e-6, atol=0)
