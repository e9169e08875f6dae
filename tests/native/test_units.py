"""The kernels of hidden units against the formula, in float64, with the draws of dropout made again in numpy."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ctr.blocks import Dropout
from ctr.blocks.units import units
from tests.native.cases import SEEDS, THREADS, close, names_called, threads

LEVELS = 1 << 16


def layer(inputs: int, width: int, norm: bool, dropout: float) -> nn.ModuleList:
    """Linear, batch norm or nothing, ReLU and dropout, with no weight at its usual start."""
    modules = nn.ModuleList([nn.Linear(inputs, width), nn.BatchNorm1d(width) if norm else None, nn.ReLU()])
    for parameter in modules.parameters():
        nn.init.normal_(parameter, mean=0.3)
    return modules.append(Dropout(dropout))


def run(modules, inputs, upstream):
    """The layer's value, and the gradients of its inputs and parameters."""
    inputs = inputs.clone().requires_grad_()
    value = units(inputs, *modules)
    return value.detach(), torch.autograd.grad(value, [inputs, *modules.parameters()], upstream.to(value.dtype))


def truth(modules, inputs, upstream, factors):
    """The same in float64, written out, each unit times its factor."""
    linear, norm = copy.deepcopy(modules[:2]).double()
    inputs = inputs.double().requires_grad_()
    sums = inputs @ linear.weight.t() + linear.bias
    if norm is not None:
        normal = (sums - sums.mean(0)) / (sums.var(0, correction=0) + norm.eps).sqrt()
        sums = normal * norm.weight + norm.bias
    value = sums.clamp(min=0) * factors
    parameters = [inputs, *linear.parameters(), *([] if norm is None else norm.parameters())]
    return value.detach(), torch.autograd.grad(value, parameters, upstream.double())


def next_seed() -> int:
    """What the layer will draw next from torch's generator."""
    state = torch.get_rng_state()
    seed = torch.randint(1 << 62, ()).item()
    torch.set_rng_state(state)
    return seed


def factors(seed: int, rows: int, width: int, dropped: int) -> torch.Tensor:
    """splitmix64 of a counter, 16 bits for each unit: 0 where they are below `dropped`."""
    groups = (width + 3) // 4
    with np.errstate(over="ignore"):
        z = (np.arange(rows * groups, dtype=np.uint64) + np.uint64(seed)) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    kept = z.view("<u2").reshape(rows, groups * 4)[:, :width] >= dropped
    return torch.from_numpy(kept * (LEVELS / (LEVELS - dropped)))


@st.composite
def layers(draw):
    """A layer, its inputs (B, in) and the gradient (B, H) that comes back to it."""
    threads(draw(THREADS))
    torch.manual_seed(draw(SEEDS))
    batch, inputs, width = draw(st.integers(8, 150)), draw(st.integers(1, 9)), draw(st.integers(1, 21))
    modules = layer(inputs, width, draw(st.booleans()), draw(st.sampled_from([0.0, 0.0, 0.2, 0.5, 0.9])))
    return modules, torch.randn(batch, inputs), torch.randn(batch, width)


@given(layers())
def test_a_layer_and_its_gradients_are_those_of_the_formula(case):
    modules, inputs, upstream = case
    kept = factors(next_seed(), *upstream.shape, modules[3].dropped)
    value, gradients = run(modules, inputs, upstream)
    expected, theirs = truth(modules, inputs, upstream, kept)
    close([value, *gradients], [expected, *theirs], tolerance=2e-4)


@given(layers())
def test_in_bfloat16_it_is_the_formula_to_the_rounding_of_its_output(case):
    modules, _, upstream = case
    width = upstream.shape[1]
    modules[0] = nn.Linear(width, width)
    nn.init.eye_(modules[0].weight)  # so that the products are the inputs, without an error of their own
    inputs, upstream = torch.randn(upstream.shape).bfloat16().float(), upstream.bfloat16()
    kept = factors(next_seed(), *upstream.shape, modules[3].dropped)
    with torch.autocast("cpu", torch.bfloat16):
        value, gradients = run(modules, inputs, upstream)
    assert value.dtype == torch.bfloat16
    expected, theirs = truth(modules, inputs, upstream, kept)
    torch.testing.assert_close(value.double(), expected, rtol=2**-8, atol=1e-5)
    close(gradients[:1] + gradients[2:], theirs[:1] + theirs[2:], tolerance=1e-2)  # [1] is torch's own product
    if modules[1] is not None:
        close(gradients[-2:], theirs[-2:], tolerance=2e-4)  # kept in float32


@settings(max_examples=30)
@given(layers())
def test_the_running_statistics_are_torchs_with_the_layers_bias_in_the_mean(case):
    modules, inputs, upstream = case
    linear, _, *rest = modules
    norm = nn.BatchNorm1d(upstream.shape[1], momentum=0.3)
    twin = copy.deepcopy(norm).double()
    for scale in (1.0, 3.0):
        units(scale * inputs, linear, norm, *rest)
        twin(copy.deepcopy(linear).double()(scale * inputs.double()))
    close([norm.running_mean, norm.running_var], [twin.running_mean, twin.running_var])
    assert norm.num_batches_tracked == twin.num_batches_tracked == 2


def test_a_batch_norm_takes_the_layers_bias_away_again_so_it_gets_no_gradient():
    modules = layer(4, 5, norm=True, dropout=0.0)
    _, gradients = run(modules, torch.randn(20, 4), torch.randn(20, 5))
    assert torch.equal(gradients[2], torch.zeros(5))


def positive(dropout: float, width: int = 30, rows: int = 2000):
    """A layer whose units are all 1 before dropout, and its inputs."""
    modules = layer(1, width, norm=False, dropout=dropout)
    nn.init.zeros_(modules[0].weight)
    nn.init.ones_(modules[0].bias)
    return modules, torch.randn(rows, 1)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_the_share_p_is_dropped_and_the_others_are_scaled(p):
    torch.manual_seed(0)
    modules, inputs = positive(p)
    value = units(inputs, *modules)
    n = value.numel()
    assert abs((value == 0).sum().item() - n * p) < 5 * (n * p * (1 - p)) ** 0.5
    assert ((value == 0).float().mean(0) - p).abs().max() < 6 * (p * (1 - p) / len(value)) ** 0.5  # in every column
    kept = value[value != 0].detach()
    torch.testing.assert_close(kept, torch.full_like(kept, 1 / (1 - p)), rtol=1e-4, atol=0)


def test_the_same_seed_is_the_same_mask_and_the_next_draw_is_another():
    modules, inputs = positive(0.5)
    torch.manual_seed(7)
    one, two = units(inputs, *modules), units(inputs, *modules)
    torch.manual_seed(7)
    assert torch.equal(units(inputs, *modules), one)
    assert 0.45 < ((one == 0) == (two == 0)).float().mean() < 0.55


@pytest.mark.parametrize("width", [3, 4, 8])
def test_neighbours_are_dropped_independently(width):
    torch.manual_seed(1)
    modules, inputs = positive(0.5, width)
    kept = (units(inputs, *modules) != 0).double()
    correlations = torch.corrcoef(kept.t()).fill_diagonal_(0)
    assert correlations.abs().max() < 5 / len(kept) ** 0.5
    assert abs(torch.corrcoef(torch.stack([kept[1:, 0], kept[:-1, 0]]))[0, 1]) < 5 / len(kept) ** 0.5


def test_the_mask_does_not_depend_on_the_number_of_threads():
    modules, inputs = positive(0.5, rows=101)
    masks = []
    for number in (1, 2):
        threads(number)
        torch.manual_seed(3)
        masks.append(units(inputs, *modules))
    assert torch.equal(*masks)


def test_dropped_units_send_exactly_no_gradient():
    modules, inputs = positive(0.5)
    nn.init.normal_(modules[0].weight, mean=1.0, std=0.0)
    value = units(inputs := inputs.exp().requires_grad_(), *modules)
    for unit in range(3):
        (gradient,) = torch.autograd.grad(value[:, unit].sum(), inputs, retain_graph=True)
        assert torch.equal(gradient[:, 0] == 0, value[:, unit] == 0)


def test_scoring_drops_nothing_draws_nothing_and_uses_the_running_statistics():
    modules, inputs = layer(4, 5, norm=True, dropout=0.5), torch.randn(20, 4)
    units(inputs, *modules)
    modules.eval()
    linear, norm = modules[:2]
    state, sums = torch.get_rng_state(), inputs @ linear.weight.t() + linear.bias
    normal = (sums - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
    torch.testing.assert_close(units(inputs, *modules), (normal * norm.weight + norm.bias).clamp(min=0))
    assert torch.equal(torch.get_rng_state(), state)


def odd_layers():
    linear, norm = nn.Linear(4, 5), nn.BatchNorm1d(5)
    return {
        "another activation": (linear, norm, nn.Tanh(), Dropout(0.0)),
        "no bias": (nn.Linear(4, 5, bias=False), norm, nn.ReLU(), Dropout(0.0)),
        "a batch norm that only scores": (linear, nn.BatchNorm1d(5).eval(), nn.ReLU(), Dropout(0.0)),
        "scoring": (linear, nn.BatchNorm1d(5).eval(), nn.ReLU(), Dropout(0.5).eval()),
        "float64": nn.ModuleList([nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), Dropout(0.0)]).double(),
    }


@pytest.mark.parametrize("kind", odd_layers())
def test_other_layers_are_left_to_plain_pytorch(monkeypatch, kind):
    names, modules = names_called(monkeypatch), odd_layers()[kind]
    linear, norm, activation, _ = modules
    inputs = torch.randn(6, 4, dtype=linear.weight.dtype)
    torch.testing.assert_close(units(inputs, *modules), activation(copy.deepcopy(norm)(linear(inputs))))
    assert names == []


def test_the_kernels_are_what_runs_and_one_row_is_left_to_plain_pytorch(monkeypatch):
    names, modules = names_called(monkeypatch), layer(4, 5, norm=False, dropout=0.0)
    for rows in (2, 1):
        run(modules, torch.randn(rows, 4), torch.randn(rows, 5))
    assert names == ["units_f32", "units_backward_f32"]


@given(layers())
def test_what_is_given_as_plus_is_as_inputs_more_with_weights_of_one(case):
    modules, inputs, upstream = case
    plus = torch.randn_like(upstream).requires_grad_()
    state = torch.get_rng_state()
    value = units(inputs, *modules, plus=plus)
    grads = torch.autograd.grad(value, [plus, *modules.parameters()], upstream)
    wider = copy.deepcopy(modules)
    wider[0].weight = nn.Parameter(torch.cat([modules[0].weight.detach(), torch.eye(upstream.shape[1])], dim=1))
    torch.set_rng_state(state)
    more = torch.cat([inputs, plus.detach()], dim=1).requires_grad_()
    expected = units(more, *wider)
    both, *others = torch.autograd.grad(expected, [more, *wider.parameters()], upstream)
    others = [other[:, : inputs.shape[1]] if other.dim() == 2 else other for other in others]
    truths = [expected.detach(), both[:, inputs.shape[1] :], *others]
    close([value.detach(), *grads], [truth.double() for truth in truths], tolerance=1e-4)
