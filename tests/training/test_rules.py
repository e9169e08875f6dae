"""Every rule for the rows of a batch against the dense optimizer that it stands for, in float64."""

import pytest
import torch

from ctr.training.table_optimizers import FTRLProximal
from tests.training import builders
from tests.training.tables import LR, RARE, batches, changing, constant, dense, fm, grouped, lazy, step, train

FLUSHES = pytest.mark.parametrize("flushes", [(), (0, 1, 2, 17, 49, 50)], ids=["never", "at odd times"])
L2 = pytest.mark.parametrize("l2", [0.0, 0.01], ids=["", "l2"])
exact = {"rtol": 0, "atol": 1e-10}


def same(ours, theirs, **tolerance):
    torch.testing.assert_close(ours, theirs, **{**exact, **tolerance})


@FLUSHES
@L2
@pytest.mark.parametrize("decay", [0.0, 0.3], ids=["adam", "adamw"])
def test_adam_by_rows_is_dense_adam_with_l2_over_the_whole_table(decay, l2, flushes):
    ours = train(fm(), lazy("adam", weight_decay=decay), l2=l2, flushes=flushes)
    same(ours, train(fm(), dense("adam", weight_decay=decay), l2=l2))


@FLUSHES
@L2
@pytest.mark.parametrize("kind", ["adagrad", "sgd"])
def test_other_rules_by_rows_are_torchs_with_l2_over_the_whole_table(kind, l2, flushes):
    same(train(fm(), lazy(kind), l2=l2, flushes=flushes), train(fm(), dense(kind), l2=l2))


def test_sgd_whose_l2_turns_the_sign_of_rows_is_still_torchs():
    l2 = 1.5 / LR  # without a gradient a row is multiplied by -.5
    same(train(fm(), lazy("sgd"), l2=l2, scale=constant), train(fm(), dense("sgd"), l2=l2, scale=constant))


@FLUSHES
@L2
def test_ftrl_by_rows_is_dense_ftrl_with_l2_over_the_whole_table(l2, flushes):
    ours = train(fm(), lazy("ftrl"), l2=l2, scale=constant, flushes=flushes)
    same(ours, train(fm(), lazy("ftrl").dense, l2=l2, scale=constant))


@FLUSHES
@L2
def test_rowwise_adagrad_is_the_dense_loop_over_all_rows(l2, flushes):
    """sum_r += mean_d g_rd^2; v_r -= lr g_r / (sqrt(sum_r) + eps)."""
    net = fm(bias=False)
    ours = train(fm(bias=False), lazy("rowwise"), l2=l2, flushes=flushes)
    sums = {name: torch.full((len(table),), 1e-8, dtype=torch.float64) for name, table in net.named_parameters()}
    for number, (ids, values, labels) in enumerate(batches()):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(ids, values), labels)
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        for (name, table), gradient in zip(net.named_parameters(), gradients, strict=True):
            gradient = gradient + l2 * table.detach()
            for r in gradient.any(1).nonzero().flatten().tolist():
                sums[name][r] += gradient[r].square().mean()
                table.data[r] -= LR * changing(number) * gradient[r] / (sums[name][r].sqrt() + 1e-8)
    same(ours, builders.weights(net))


@FLUSHES
def test_with_adams_usual_eps_it_is_dense_adam_to_the_fifth_digit(flushes):
    """eps is taken as at the first missed step. Where gradients are not tiny, that is nothing."""
    ours, theirs = train(fm(), lazy("adam", eps=1e-8), flushes=flushes), train(fm(), dense("adam", eps=1e-8))
    same(ours, theirs, atol=2e-5)


def test_where_eps_rules_over_tiny_gradients_catching_up_is_dense_adam_to_a_few_percent_of_the_way():
    weights = [train(fm(), make("adam", eps=1e-2)) for make in (lazy, dense)]
    way = max(float((a - b).abs().max()) for a, b in zip(weights[1].values(), fm().parameters(), strict=True))
    same(*weights, atol=0.05 * way)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.0, 0.99), (0.9, 0.9), (0.95, 0.999), (0.99, 0.999), (0.99, 0.9999)])
def test_a_row_that_comes_back_after_a_thousand_steps_is_where_dense_adam_has_it(betas):
    weights, nothing = [], (torch.full((1, 4), RARE), torch.zeros(1, 4).double(), torch.ones(1).double())
    for make in (lazy, dense):
        net = fm(bias=False)
        optimizer = grouped(net, make("adam", betas=betas))
        for batch in [*batches()[:4], *[nothing] * 1000, *batches()[4:]]:
            step(net, optimizer, batch)
        optimizer.catch_up()
        weights.append(builders.weights(net))
    same(*weights, atol=1e-7)


@pytest.mark.parametrize("kind", ["adam", "adagrad", "sgd"])
def test_clipping_is_that_of_the_dense_optimizer_where_there_is_no_l2(kind):
    net, bound = fm(), 0.05
    assert step(net, grouped(net, lazy(kind)), batches()[0]) > bound, "nothing would be clipped"
    same(train(fm(), lazy(kind), clip=bound), train(fm(), dense(kind), clip=bound))


@FLUSHES
def test_with_l2_the_clipped_norm_counts_the_rows_of_the_batch_and_all_rows_are_scaled_by_it(flushes):
    """Gradient descent, written out: g + l2 w over the whole table, times min(1, bound / norm of the batch's rows)."""
    net, l2, bound = fm(bias=False), 0.3, 0.5
    ours = train(fm(bias=False), lazy("sgd"), l2=l2, clip=bound, scale=constant, flushes=flushes)
    for ids, values, labels in batches():
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(ids, values), labels)
        loss = loss + l2 / 2 * sum(table.square().sum() for table in net.parameters())
        gradients = torch.autograd.grad(loss, list(net.parameters()))
        norm = sum(gradient[ids.unique()].square().sum() for gradient in gradients).sqrt()
        for table, gradient in zip(net.parameters(), gradients, strict=True):
            table.data -= LR * min(1.0, bound / (norm + 1e-6)) * gradient
    same(ours, builders.weights(net))


def test_without_catching_up_adam_is_its_definition_on_the_rows_of_each_batch():
    """Moments of other rows rest; the bias correction counts all steps."""
    net, (beta1, beta2) = fm(bias=False), (0.9, 0.999)
    ours = train(fm(bias=False), lazy("adam", catch_up=False), flushes=(1, 30))
    first, second = ([torch.zeros_like(table) for table in net.parameters()] for _ in range(2))
    for number, (ids, values, labels) in enumerate(batches()):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(net(ids, values), labels)
        gradients, rows = torch.autograd.grad(loss, list(net.parameters())), ids.unique()
        for table, g, m, v in zip(net.parameters(), gradients, first, second, strict=True):
            m[rows] = beta1 * m[rows] + (1 - beta1) * g[rows]
            v[rows] = beta2 * v[rows] + (1 - beta2) * g[rows] ** 2
            corrected = m[rows] / (1 - beta1 ** (number + 1)), v[rows] / (1 - beta2 ** (number + 1))
            table.data[rows] -= LR * changing(number) * corrected[0] / (corrected[1].sqrt() + 1e-30)
    same(ours, builders.weights(net))


@pytest.mark.parametrize("kind", ["adam", "adagrad", "rowwise", "sgd", "ftrl"])
def test_a_row_that_no_batch_touched_rests(kind):
    before, after = builders.weights(fm()), train(fm(), lazy(kind), scale=constant)
    for name in ("embedding.table.weight", "linear.weight.table.weight"):
        torch.testing.assert_close(after[name][RARE:], before[name][RARE:], rtol=0, atol=1e-15)
        assert (after[name][:RARE] != before[name][:RARE]).any(1).sum() > 20


def first_order():
    """An FM of which only the first-order weights are trained, from 0."""
    net = fm(bias=False)
    net.embedding.table.weight.data.zero_()
    net.embedding.table.weight.requires_grad_(False)
    torch.nn.init.zeros_(net.linear.weight.table.weight)
    return net


TRACES = [
    (
        (0.1, 1.0, 0.1, 1.0),
        [0.5, 0.5062496745, 0.5062496745, 0.5130943719, 0.4992007429],
        [0, 0.0772963066, -0.0528570666],
    ),
    (
        (0.5, 1.0, 0.0, 0.0),
        [0.5, 0.5415704832, 0.5415704832, 0.5778662651, 0.4873160463],
        [0.0018038276, 0.42056467, -0.3166169109],
    ),
    ((0.1, 1.0, 1.5, 1.0), [0.5] * 5, [0, 0, 0]),
]


@pytest.mark.parametrize("by_rows", [True, False], ids=["by rows", "dense"])
@pytest.mark.parametrize(("settings", "probabilities", "weights"), TRACES)
def test_ftrl_gives_the_trace_of_oracle_12(settings, probabilities, weights, by_rows):
    lr, beta, l1, l2 = settings
    net, make = first_order(), FTRLProximal(lr=lr, beta=beta, l1=l1, l2=l2, dense_up_to=0 if by_rows else 99)
    optimizer, seen = grouped(net, make, lr=lr), []
    for row, label in [((0, 1), 1), ((0, 2), 0), ((1,), 1), ((0, 1), 1), ((0, 2), 0)]:
        ids = torch.tensor([[*row, 0, 0, 0][:4]])
        values = (torch.arange(4) < len(row)).double().unsqueeze(0)
        logit = optimizer.forward(net, ids, values)
        seen.append(torch.sigmoid(logit).item())
        optimizer.zero_grad()
        torch.nn.functional.binary_cross_entropy_with_logits(logit, torch.tensor([float(label)]).double()).backward()
        optimizer.step()
    assert seen == pytest.approx(probabilities, abs=1e-9)
    assert net.linear.weight.table.weight[:3, 0].tolist() == pytest.approx(weights, abs=1e-9)
