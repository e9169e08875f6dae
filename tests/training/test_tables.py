"""Tables trained by their rows: which are, what stops and starts again, and what is refused."""

import copy

import pytest
import torch
from torch import nn

from ctr import native
from ctr.blocks import FeatureEmbedding, FeatureLinear
from ctr.errors import UserError
from ctr.training import Constant, Cosine, Plateau, snapshot
from ctr.training.optimizer import GroupedOptimizer, read_groups
from ctr.training.progress import Progress
from tests.native.cases import names_called
from tests.training import builders
from tests.training.tables import LR, ROWS, SCHEMA, batches, changing, constant, fm, grouped, lazy, step, train

KINDS = ["adam", "adagrad", "rowwise", "sgd", "ftrl"]
TABLES = ["embedding.table.weight", "linear.weight.table.weight"]
every_kind = pytest.mark.parametrize("kind", KINDS)
every_l2 = pytest.mark.parametrize("l2", [0.0, 0.01], ids=["", "l2"])
RESTING = {"catch_up": False}
both_kernels = pytest.mark.parametrize("kernels", ["plain", "native"])


def use(kernels: str) -> None:
    if kernels == "native" and (said := native.use("auto")) != "native kernels":
        pytest.skip(said)
    native.use(kernels)


@every_l2
@pytest.mark.parametrize("change", [{}, {"weight_decay": 0.1}, RESTING], ids=["", "decay", "resting"])
def test_the_native_kernels_of_adam_are_its_plain_form(change, l2, monkeypatch):
    names = check_kernels("adam", l2, monkeypatch, eps=1e-8, **change)
    assert names[0] == {"adam_rows"} | ({"adam_idle"} if l2 else {"adam_catch_up"} if change != RESTING else set())


@every_l2
@pytest.mark.parametrize("kind", KINDS[1:])
def test_the_native_kernels_of_the_other_rules_are_their_plain_forms(kind, l2, monkeypatch):
    names = check_kernels(kind, l2, monkeypatch)
    rows = {"adagrad": {"adagrad_rows"}, "rowwise": {"rowwise_adagrad_rows"}}.get(kind, set())
    assert names[0] == rows | ({"adagrad_idle"} if kind == "adagrad" and l2 else set())


def check_kernels(kind, l2, monkeypatch, **changes):
    """In float32, on two threads, both against plain PyTorch in float64. Returns the optimizers' kernels that each
    called."""
    called, names = [], names_called(monkeypatch)
    torch.set_num_threads(2)
    scale = constant if kind == "ftrl" else changing
    truth = train(fm(), lazy(kind, **changes), l2=l2, scale=scale, flushes=(7, 30))
    for kernels in ("native", "plain"):
        use(kernels)
        ours = train(fm().to(torch.float32), lazy(kind, **changes), l2=l2, scale=scale, flushes=(7, 30))
        torch.testing.assert_close({n: w.double() for n, w in ours.items()}, truth, rtol=0, atol=1e-5)
        called.append({name for name in names if name.startswith(("adam_", "adagrad_", "rowwise_"))})
        names.clear()
    assert called[1] == set()
    return called


@both_kernels
@every_kind
def test_a_row_that_stands_in_many_slots_of_a_batch_gets_the_sum_of_their_gradients(kind, kernels):
    """As one slot that holds the sum of the values: the first-order part sees no difference."""
    use(kernels)
    moved = []
    for ids, values in [([3, 3, 3, 3], [0.5, 1.0, -2.0, 3.0]), ([3, 0, 0, 0], [2.5, 0.0, 0.0, 0.0])]:
        net = fm(torch.float32)
        nn.init.zeros_(net.embedding.table.weight)
        step(net, grouped(net, lazy(kind)), (torch.tensor([ids]), torch.tensor([values]), torch.ones(1)))
        moved.append(net.linear.weight.table.weight[1:].detach())
    torch.testing.assert_close(*moved)
    assert moved[0][2] != fm(torch.float32).linear.weight.table.weight[3]


@both_kernels
@every_l2
@every_kind
@pytest.mark.parametrize("stop", [5, 30])
def test_a_training_put_back_in_the_middle_of_a_gap_goes_on_bit_for_bit(kind, l2, kernels, stop):
    use(kernels)
    straight, parts = fm(torch.float32), []
    optimizer = grouped(straight, lazy(kind), l2)
    for number, batch in enumerate(batches()):
        if number == stop:
            taken = copy.deepcopy(snapshot.take(straight, optimizer, Progress(), SCHEMA))  # as from a disk
            again = fm(torch.float32, seed=9)
            parts = [again, grouped(again, lazy(kind), l2)]
            snapshot.put_back(taken, *parts, SCHEMA)
        for net, its in [(straight, optimizer), parts][: 1 + bool(parts)]:
            step(net, its, batch, changing(number) if kind != "ftrl" else 1.0, clip=0.5)
    for its in (optimizer, parts[1]):
        its.catch_up()
    assert builders.differing(straight.state_dict(), again.state_dict()) == []
    assert builders.differing(optimizer.rows.state_dict(), parts[1].rows.state_dict()) == []


@every_l2
def test_many_steps_go_between_two_times_of_bringing_all_rows_up_to_date(l2):
    weights = []
    for limit in (0, ROWS):
        net = fm()
        optimizer = grouped(net, lazy("sgd" if l2 else "adam", dense_up_to=limit), l2)
        for batch in batches()[:6] * 100:
            step(net, optimizer, batch, 0.01)
        optimizer.catch_up()
        weights.append(builders.weights(net))
    torch.testing.assert_close(*weights, rtol=0, atol=1e-8)


@every_kind
def test_what_is_put_back_is_no_longer_shared(kind):
    net = fm()
    optimizer = grouped(net, lazy(kind), 0.01)
    step(net, optimizer, batches()[0])
    taken = {name: tensor.clone() for name, tensor in optimizer.rows.state_dict().items()}
    other = grouped(fm(), lazy(kind), 0.01)
    other.rows.load_state_dict(optimizer.rows.state_dict())
    step(fm(), other, batches()[1])
    assert builders.differing(taken, optimizer.rows.state_dict()) == []


def by_rows(net: nn.Module, make) -> list[str]:
    return [table.name for table in grouped(net, make).rows.tables if table.trained]


@pytest.mark.parametrize(("limit", "expected"), [(0, TABLES), (ROWS - 1, TABLES), (ROWS, []), (10**9, [])])
def test_tables_of_more_rows_than_dense_up_to_are_trained_by_their_rows(limit, expected):
    assert sorted(by_rows(fm(), lazy("adam", dense_up_to=limit))) == expected


@pytest.mark.parametrize("kind", ["adam", "adagrad", "sgd", "ftrl"])
def test_small_tables_take_the_steps_that_large_ones_take(kind):
    ours, small = (train(fm(), lazy(kind, dense_up_to=limit), scale=constant) for limit in (0, ROWS))
    torch.testing.assert_close(ours, small, rtol=0, atol=1e-10)


@both_kernels
@pytest.mark.parametrize("frozen", TABLES)
def test_a_frozen_table_stays_and_is_read_where_it_always_was(frozen, kernels):
    use(kernels)
    net = fm(torch.float32)
    net.get_parameter(frozen).requires_grad_(False)
    before, optimizer, (ids, values, _) = builders.weights(net), grouped(net, lazy("adam")), batches()[2]
    assert by_rows(net, lazy("adam")) == [name for name in TABLES[::-1] if name != frozen]
    torch.testing.assert_close(optimizer.forward(net, ids, values.float()), net(ids, values.float()))
    step(net, optimizer, batches()[2])
    assert {n for n, p in net.named_parameters() if torch.equal(p, before[n])} == {frozen}


@both_kernels
@every_kind
def test_a_model_without_any_other_parameter_is_trained(kind, kernels):
    use(kernels)
    net = fm(torch.float32, bias=False)
    optimizer = grouped(net, lazy(kind))
    losses = [loss(net)]
    for batch in batches()[:1] * 30:
        step(net, optimizer, batch)
    assert loss(net) < losses[0]
    assert set(optimizer.lrs()) == {"lr_embedding", "lr_linear"}


def loss(net: nn.Module) -> float:
    ids, values, labels = batches()[0]
    return nn.functional.binary_cross_entropy_with_logits(net(ids, values.float()), labels.float()).item()


class Only(nn.Module):
    """A model of one block, under this name."""

    def __init__(self, **block: nn.Module):
        super().__init__()
        ((self.name, module),) = block.items()
        self.add_module(self.name, module)

    def forward(self, ids, values):
        return self.get_submodule(self.name)(ids, values).reshape(len(ids), -1).sum(1)


@both_kernels
@every_kind
@pytest.mark.parametrize("name", ["embedding", "linear"])
def test_a_model_with_one_of_the_two_tables_is_trained(kind, name, kernels):
    use(kernels)
    net = Only(**{name: FeatureEmbedding(SCHEMA, 4) if name == "embedding" else FeatureLinear(SCHEMA, bias=False)})
    optimizer, before = grouped(net, lazy(kind)), loss(net)
    for batch in batches()[:1] * 5:
        step(net, optimizer, batch)
    assert loss(net) < before
    assert set(optimizer.lrs()) == {f"lr_{name}"}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ftrl"])
def test_a_group_whose_rate_is_zero_rests(kind):
    net = fm()
    before = builders.weights(net)
    rates = {"embedding": {"lr": 0.0}, "linear": {"lr": LR}}
    optimizer = GroupedOptimizer(net, lazy(kind), read_groups(builders.groups(**rates)))
    for batch in batches()[:5]:
        step(net, optimizer, batch)
    optimizer.catch_up()
    torch.testing.assert_close(net.embedding.table.weight.detach(), before[TABLES[0]], rtol=0, atol=1e-15)
    assert not torch.equal(net.linear.weight.table.weight, before[TABLES[1]])


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("adam", {"betas": [0.9]}),
        ("adam", {"betas": [0.9, 1.0]}),
        ("adam", {"betas": [-0.1, 0.999]}),
        ("adam", {"eps": -1e-8}),
        ("adam", {"weight_decay": -0.1}),
        *[(kind, {"dense_up_to": -1}) for kind in KINDS],
        ("adagrad", {"eps": -1e-8}),
        ("adagrad", {"initial_accumulator_value": -1.0}),
        ("rowwise", {"dense_up_to": 50_000}),
        ("ftrl", {"lr": 0.0}),
        ("ftrl", {"beta": -1.0}),
        ("ftrl", {"l1": -1.0}),
        ("ftrl", {"l2": -1.0}),
    ],
    ids=str,
)
def test_settings_that_cannot_be_are_refused_in_words(kind, wrong):
    with pytest.raises(UserError, match=r"\w+ \w+"):
        lazy(kind, **wrong)


@pytest.mark.parametrize("betas", [(0.9, 0.0), (0.0, 0.0), (0.0, 0.999)])
def test_betas_of_zero_are_refused_or_are_dense_adam(betas):
    try:
        make = lazy("adam", betas=betas)
    except UserError:
        return
    ours, small = train(fm(), make), train(fm(), lazy("adam", betas=betas, dense_up_to=ROWS))
    torch.testing.assert_close(ours, small, rtol=0, atol=1e-10)


def test_ftrl_wants_a_constant_rate_and_is_told_how_to_get_it():
    builders.trainer(optimizer=lazy("ftrl"), schedule=Constant())
    for schedule in (Plateau(factor=0.5, patience=1, min_scale=0.1), Cosine(warmup_steps=1, min_scale=0.1)):
        with pytest.raises(UserError, match="schedule=constant"):
            builders.trainer(optimizer=lazy("ftrl"), schedule=schedule)


def test_ftrl_refuses_a_group_without_a_rate():
    with pytest.raises(UserError, match="above 0 in every group"):
        GroupedOptimizer(fm(), lazy("ftrl"), read_groups(builders.groups(embedding={"lr": 0.0})))


@both_kernels
def test_an_id_that_no_table_has_is_refused(kernels):
    use(kernels)
    net, values = fm(torch.float32), torch.ones(2, 4)
    with pytest.raises(IndexError):
        grouped(net, lazy("adam")).forward(net, torch.full((2, 4), ROWS), values)
    with pytest.raises(IndexError):
        net(torch.full((2, 4), ROWS), values)


def test_a_forward_that_no_step_follows_leaves_the_next_as_it_was():
    nets = [fm(), fm()]
    made = [grouped(net, lazy("adam")) for net in nets]
    for ids, values, labels in batches()[:20]:
        made[0].forward(nets[0], batches()[30][0], batches()[30][1])
        for net, optimizer in zip(nets, made, strict=True):
            step(net, optimizer, (ids, values, labels))
    for optimizer in made:
        optimizer.catch_up()
    for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-12)
