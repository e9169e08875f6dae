"""The kernel of normed products of powers against its formula, in float64."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from ctr import native
from ctr.blocks import LogarithmicTransform
from ctr.blocks.logarithmic import normed_powers
from tests.native.cases import SEEDS, THREADS, close, names_called, threads, with_gradients


@st.composite
def cases(draw):
    """logs (B, F, D), orders (L, F), the norm's weight and bias (L,): batches with and without a rest of less than
    four, N = L * D on and off multiples of sixteen. Orders keep powers of one example within a hundred of another's."""
    threads(draw(THREADS))
    torch.manual_seed(draw(SEEDS))
    batch, fields = draw(st.integers(2, 13)), draw(st.sampled_from([1, 2, 10, 39]))
    neurons, dim = draw(st.sampled_from([1, 3, 16, 21])), draw(st.sampled_from([1, 3, 4, 10, 16, 33]))
    logs = torch.randn(batch, fields, dim)
    return logs, torch.randn(neurons, fields) / fields**0.5, 0.5 + torch.rand(neurons), torch.randn(neurons)


def normed(weight, bias):
    """A batch norm with these very tensors. Its eps keeps a neuron of two all but equal examples from making much of a
    rounding."""
    norm = nn.BatchNorm1d(len(weight), eps=0.1).to(weight.dtype)
    del norm.weight, norm.bias
    norm.weight, norm.bias = weight, bias
    return norm


def formula(logs, orders, weight, bias):
    powers = torch.einsum("lf,bfd->bld", orders, logs).exp()
    centred = powers - powers.mean(dim=(0, 2), keepdim=True)
    hat = centred / (centred.square().mean(dim=(0, 2), keepdim=True) + 0.1).sqrt()
    return hat * weight[:, None] + bias[:, None]


def kernel(logs, orders, weight, bias):
    return normed_powers(logs, orders, normed(weight, bias))


@given(cases())
def test_it_is_the_normed_exponential_with_its_gradients(case):
    upstream = torch.randn(len(case[0]), len(case[1]), case[0].shape[2])
    ours = with_gradients(kernel, *case, upstream=upstream)
    truth = with_gradients(formula, *(leaf.double() for leaf in case), upstream=upstream)
    close(ours, truth, tolerance=3e-5)


@given(cases())
def test_under_bf16_only_the_result_and_its_gradient_are_rounded(case):
    upstream = torch.randn(len(case[0]), len(case[1]), case[0].shape[2]).bfloat16().float()
    with torch.autocast("cpu", torch.bfloat16):
        ours = with_gradients(kernel, *case, upstream=upstream)
    assert [one.dtype for one in ours] == [torch.bfloat16, *[torch.float32] * 4]
    truth = with_gradients(formula, *(leaf.double() for leaf in case), upstream=upstream)
    close(ours[:1], truth[:1], tolerance=4e-3)  # half of 2^-7
    close(ours[1:], truth[1:], tolerance=3e-5)


@given(cases())
def test_running_statistics_are_torchs_and_serve_evaluation(case):
    logs, orders, weight, bias = case
    ours, theirs = normed(weight, bias), normed(weight.double(), bias.double())
    powers = (orders.double() @ logs.double()).exp()
    theirs(powers)
    normed_powers(logs, orders, ours)
    close([ours.running_mean, ours.running_var], [theirs.running_mean, theirs.running_var])
    assert ours.num_batches_tracked == 1
    with torch.no_grad():
        close([normed_powers(logs, orders, ours.eval())], [theirs.eval()(powers)])
    assert ours.num_batches_tracked == 1


def test_powers_beyond_what_float32_holds_are_infinite_or_next_to_nothing():
    norm = nn.BatchNorm1d(1).eval()
    with torch.no_grad():
        found = normed_powers(torch.tensor([[[200.0, 0.0, -200.0]]] * 2), torch.ones(1, 1), norm)
    assert found[0, 0, 0] == torch.inf
    torch.testing.assert_close(found[0, 0, 1:], torch.tensor([1.0, 0.0]))


@pytest.mark.parametrize("kept", ["training", "evaluation", "gradients in evaluation", "one row"])
def test_the_block_calls_it_where_it_can_and_plain_pytorch_agrees(kept, monkeypatch):
    torch.manual_seed(0)
    block = LogarithmicTransform(4, 7, min_magnitude=1e-5).train(kept in ("training", "one row"))
    vectors, names = torch.randn(1 if kept == "one row" else 9, 4, 5), names_called(monkeypatch)
    upstream = torch.randn(len(vectors), 7, 5)

    def found():
        if kept == "evaluation":
            with torch.no_grad():
                return [block(vectors)]
        return with_gradients(block, vectors, upstream=upstream)

    ours = found()
    expected = {"training": ["powers_f32", "powers_backward_f32"], "evaluation": ["powers_f32"]}
    assert names == expected.get(kept, [])
    native.use("plain")
    for norm in (block.log_norm, block.exp_norm):
        norm.reset_running_stats()
    torch.testing.assert_close(found(), ours, rtol=1e-3, atol=1e-4)
