"""AnovaKernel is the sum over all m slots of the product of their entries."""

import itertools

import pytest
import torch

from ctr.blocks import AnovaKernel, FMInteraction
from ctr.errors import UserError


def by_the_loop(xv, order):
    combinations = itertools.combinations(range(xv.shape[1]), order)
    return sum((xv[:, list(slots)].prod(1).sum(1) for slots in combinations), torch.zeros(len(xv), dtype=xv.dtype))


@pytest.mark.parametrize("order", [1, 2, 3, 4, 7, 8])
def test_it_is_the_sum_over_all_sets_of_slots(order):
    """Of 7 slots there is one set of 7, and none of 8."""
    xv = torch.randn(5, 7, 3, dtype=torch.double)
    torch.testing.assert_close(AnovaKernel(order)(xv), by_the_loop(xv, order))


@pytest.mark.parametrize("order", [2, 3, 5])
def test_its_gradient_is_the_kernel_of_the_other_slots(order):
    xv = torch.randn(4, 6, 3, dtype=torch.double, requires_grad=True)
    AnovaKernel(order)(xv).sum().backward()
    for s in range(6):
        others = xv.detach()[:, [other for other in range(6) if other != s]]
        sets = itertools.combinations(range(5), order - 1)
        torch.testing.assert_close(xv.grad[:, s], sum(others[:, list(slots)].prod(1) for slots in sets))


def test_order_2_is_fms_sum():
    xv = torch.randn(5, 7, 3, dtype=torch.double)
    torch.testing.assert_close(AnovaKernel(2)(xv), FMInteraction()(xv))


def test_slots_of_zero_and_the_order_of_slots_change_nothing():
    xv = torch.randn(3, 5, 4, dtype=torch.double)
    padded = torch.cat([xv[:, :2], torch.zeros(3, 2, 4), xv[:, 2:]], dim=1)
    for other in (padded, xv[:, torch.randperm(5)]):
        torch.testing.assert_close(AnovaKernel(3)(other), AnovaKernel(3)(xv))


def test_in_float32_small_entries_do_not_drown_beside_a_large_one():
    """Power sums would give 0 or worse: the triple of three small slots is 1e-9 of the sum of cubes."""
    xv = torch.tensor([[[1e3, 0.0], [1.0, 0.1], [0.0, 0.2], [0.0, 0.3]]])
    torch.testing.assert_close(AnovaKernel(3)(xv), torch.tensor([0.006]))


def test_an_order_below_1_is_refused():
    with pytest.raises(UserError, match="at least 1, found 0"):
        AnovaKernel(0)
