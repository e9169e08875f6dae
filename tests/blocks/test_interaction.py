"""BiInteraction and FMInteraction against the double sums of their papers."""

import itertools

import pytest
import torch

from ctr.blocks import BiInteraction, FeatureEmbedding, FMInteraction
from ctr.schema import FeatureSchema, Field, FieldKind

BLOCKS = [BiInteraction(), FMInteraction()]


def random_xv(seed: int):
    torch.manual_seed(seed)
    num_rows, num_slots, dim = (int(n) for n in torch.randint(1, 9, (3,)))
    return torch.randn(num_rows, num_slots, dim, dtype=torch.double)


@pytest.mark.parametrize("seed", range(8))
def test_bi_interaction_is_the_double_sum_of_products(seed):
    xv = random_xv(seed)
    expected = torch.zeros_like(xv[:, 0])
    for i, j in itertools.combinations(range(xv.shape[1]), 2):
        expected += xv[:, i] * xv[:, j]
    torch.testing.assert_close(BiInteraction()(xv), expected)


@pytest.mark.parametrize("seed", range(8))
def test_fm_interaction_is_the_double_sum_of_inner_products(seed):
    xv = random_xv(seed)
    expected = [sum(torch.dot(u, v) for u, v in itertools.combinations(row, 2)) for row in xv]
    torch.testing.assert_close(FMInteraction()(xv), torch.tensor(expected, dtype=torch.double))


@pytest.mark.parametrize("seed", range(8))
def test_the_gradient_of_bi_interaction_is_the_sum_of_the_other_slots(seed):
    """NFM paper, equation 11, with respect to x_i v_i."""
    xv = random_xv(seed).requires_grad_()
    upstream = torch.randn(len(xv), xv.shape[2], dtype=torch.double)
    BiInteraction()(xv).backward(upstream)
    for i in range(xv.shape[1]):
        others = sum((xv[:, j] for j in range(xv.shape[1]) if j != i), torch.zeros_like(upstream))
        torch.testing.assert_close(xv.grad[:, i], upstream * others)


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_the_order_of_the_slots_does_not_matter(block):
    xv = torch.randn(3, 6, 4, dtype=torch.double)
    torch.testing.assert_close(block(xv[:, torch.randperm(6)]), block(xv))


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
@pytest.mark.parametrize("c", [-3.0, 0.5, 2.0])
def test_scaling_all_values_by_c_scales_it_by_c_squared(block, c):
    xv = torch.randn(3, 6, 4, dtype=torch.double)
    torch.testing.assert_close(block(c * xv), c**2 * block(xv))


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_a_single_nonzero_slot_interacts_with_nothing(block):
    xv = torch.zeros(3, 6, 4)
    xv[:, 2] = torch.randn(3, 4)
    assert not block(xv).any()


@pytest.mark.parametrize("block", BLOCKS, ids=repr)
def test_slots_of_zero_change_nothing(block):
    xv = torch.randn(3, 4, 5, dtype=torch.double)
    padded = torch.cat([xv[:, :2], torch.zeros(3, 3, 5), xv[:, 2:]], dim=1)
    torch.testing.assert_close(block(padded), block(xv))


def test_an_id_in_two_slots_interacts_with_itself_and_one_slot_of_value_two_does_not():
    """Oracle O2's trap: libFM would merge the two entries into one of value 2, and give 0."""
    embedding = FeatureEmbedding(FeatureSchema((Field("tags", FieldKind.MULTIVALUED, 3, 2),)), 4, init_std=1.0)
    v = embedding.table.weight[1]
    twice = embedding(torch.tensor([[1, 1]]), torch.tensor([[1.0, 1.0]]))
    merged = embedding(torch.tensor([[1, 0]]), torch.tensor([[2.0, 0.0]]))
    torch.testing.assert_close(FMInteraction()(twice), torch.dot(v, v).reshape(1))
    assert FMInteraction()(merged).item() == 0
