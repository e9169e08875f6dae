"""Bi-Interaction's kernel against its double sum, in float64."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ctr.blocks import BiInteraction, FMInteraction
from ctr.blocks.lookup import lookup
from tests.native.cases import (
    SEEDS,
    SIZES,
    THREADS,
    WIDTHS,
    close,
    names_called,
    one_hot_product,
    slots,
    threads,
    with_gradients,
)


@st.composite
def vectors(draw):
    """xv (B, S, D)."""
    threads(draw(THREADS))
    torch.manual_seed(draw(SEEDS))
    return torch.randn(draw(SIZES), draw(SIZES), draw(WIDTHS))


def double_sum(xv):
    pairs = [xv[:, i] * xv[:, j] for i, j in itertools.combinations(range(xv.shape[1]), 2)]
    return sum(pairs, torch.zeros_like(xv[:, 0]) * xv[:, 0])


@given(vectors())
def test_it_is_the_double_sum(xv):
    upstream = torch.randn(len(xv), xv.shape[2])
    ours = with_gradients(BiInteraction(), xv, upstream=upstream)
    close(ours, with_gradients(double_sum, xv.double(), upstream=upstream))


@given(vectors())
def test_one_gradient_for_all_components_is_that_gradient_for_each(xv):
    """What the sum over the components sends back: (B, 1) seen as (B, D), with strides (1, 0)."""
    upstream = torch.randn(len(xv))
    ours = with_gradients(FMInteraction(), xv, upstream=upstream)
    close(ours, with_gradients(lambda xv: double_sum(xv).sum(-1), xv.double(), upstream=upstream))


@given(vectors())
def test_gradients_of_any_strides_are_taken(xv):
    upstream = torch.randn(xv.shape[2], len(xv)).t()  # (B, D), and contiguous as well where B or D is 1
    ours = with_gradients(BiInteraction(), xv, upstream=upstream)
    close(ours, with_gradients(double_sum, xv.double(), upstream=upstream))
    ours = with_gradients(BiInteraction(), xv, upstream=torch.ones(()).expand(len(xv), xv.shape[2]))
    close(ours, with_gradients(double_sum, xv.double(), upstream=torch.ones(len(xv), xv.shape[2])))


@given(vectors(), st.integers(0, 11))
def test_a_single_nonzero_slot_interacts_with_exactly_nothing(xv, slot):
    alone = torch.zeros(xv.shape)
    alone[:, slot % xv.shape[1]] = 1e3 * xv[:, 0]
    assert not BiInteraction()(alone).any()


@given(slots())
def test_a_row_that_stands_alone_gets_exactly_no_gradient(case):
    """Adam would make a step of what roundings leave of it."""
    table, ids, values = case
    alone = torch.zeros(ids.shape)
    alone[:, 0] = values[:, 0]
    for block, upstream in [
        (FMInteraction(), torch.randn(len(ids))),
        (BiInteraction(), torch.randn_like(table[ids[:, 0]])),
    ]:
        value, gradient = with_gradients(lambda t, b=block: b(lookup(t, ids, alone)), table, upstream=upstream)
        assert not value.any()
        assert not gradient.any()


@given(vectors())
def test_slots_of_zero_change_nothing_at_all(xv):
    padded = torch.cat([xv[:, :1], torch.zeros(xv.shape), xv[:, 1:]], dim=1)
    assert torch.equal(BiInteraction()(padded), BiInteraction()(xv))


def of_rows(table, ids, values):
    return double_sum(one_hot_product(table, ids, values))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@given(case=slots())
def test_the_pairs_of_looked_up_rows_are_the_double_sum_and_their_gradient_reaches_the_table(dtype, case):
    table, ids, values = case
    upstream = torch.randn(len(ids), table.shape[1])
    ours = with_gradients(lambda t: BiInteraction()(lookup(t, ids.to(dtype), values)), table, upstream=upstream)
    close(ours, with_gradients(lambda t: of_rows(t, ids, values), table.double(), upstream=upstream))
    ours = with_gradients(lambda t: FMInteraction()(lookup(t, ids, values)), table, upstream=upstream[:, 0])
    dense = with_gradients(lambda t: of_rows(t, ids, values).sum(-1), table.double(), upstream=upstream[:, 0])
    close(ours, dense)


@given(slots())
def test_vectors_that_have_another_use_beside_the_pairs_get_both_gradients(case):
    table, ids, values = case
    upstream = torch.randn(len(ids), table.shape[1])

    def ours(t):
        xv = lookup(t, ids, values)
        return BiInteraction()(xv) + xv.square().sum(1)

    def theirs(t):
        return of_rows(t, ids, values) + one_hot_product(t, ids, values).square().sum(1)

    close(with_gradients(ours, table, upstream=upstream), with_gradients(theirs, table.double(), upstream=upstream))


def looked_up():
    torch.manual_seed(0)
    table = torch.randn(5, 4, requires_grad=True)
    return table, lookup(table, torch.randint(5, (3, 2)), torch.randn(3, 2))


def test_vectors_that_were_changed_in_place_are_paired_as_they_are():
    table, xv = looked_up()
    (gradient,) = torch.autograd.grad(BiInteraction()(xv.mul_(2)).sum(), table)
    table, xv = looked_up()
    (single,) = torch.autograd.grad(BiInteraction()(xv).sum(), table)
    torch.testing.assert_close(gradient, 4 * single)


def test_vectors_looked_up_without_gradient_send_none():
    table, ids = torch.randn(5, 4, requires_grad=True), torch.randint(5, (3, 2))
    with torch.no_grad():
        xv = lookup(table, ids, torch.randn(3, 2))
    assert not BiInteraction()(xv).requires_grad


def test_the_gradient_of_looked_up_vectors_themselves_can_be_asked_for():
    _, xv = looked_up()
    (gradient,) = torch.autograd.grad(BiInteraction()(xv).sum(), xv)
    torch.testing.assert_close(gradient, xv.flip(1).detach())


def test_what_nearly_cancels_is_not_lost():
    """(sum)^2 - sum of squares would leave 0 of it in float32."""
    xv = torch.tensor([1e4, 1.0, 1e-4]).reshape(1, 3, 1)
    torch.testing.assert_close(BiInteraction()(xv), torch.tensor([[1e4 + 1.0 + 1e-4]]), rtol=1e-6, atol=0)


def test_the_kernels_are_what_runs_and_not_in_float64(monkeypatch):
    names, xv = names_called(monkeypatch), torch.randn(3, 4, 5)
    for dtype in (torch.float32, torch.float64):
        with_gradients(BiInteraction(), xv.to(dtype), upstream=torch.ones(3, 5))
    assert names == ["bi_interaction", "bi_interaction_backward"]
