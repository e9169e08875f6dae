"""Pairs gathers both sides of all pairs; WeightedPairs is the double sum with the weights of each."""

import itertools

import pytest
import torch

from ctr.blocks import FMInteraction, Pairs, WeightedPairs
from ctr.blocks.pairs import pair_indices
from ctr.errors import UserError


@pytest.mark.parametrize("num", [0, 1, 2, 5, 9])
def test_the_pairs_are_all_combinations_in_their_order(num):
    assert pair_indices(num).T.tolist() == [list(pair) for pair in itertools.combinations(range(num), 2)]


@pytest.mark.parametrize("shape", [(3, 5), (3, 5, 2), (3, 5, 2, 4)])
def test_both_sides_of_every_pair_are_gathered(shape):
    things = torch.randn(shape)
    left, right = Pairs(5)(things)
    for p, (i, j) in enumerate(itertools.combinations(range(5), 2)):
        assert torch.equal(left[:, p], things[:, i])
        assert torch.equal(right[:, p], things[:, j])
    assert Pairs(5).num_pairs == left.shape[1] == right.shape[1] == 10


def test_more_pairs_than_a_batch_can_hold_are_refused():
    with pytest.raises(UserError, match=r"124,750 pairs an example take at least 6.1 GB in a batch of 4,096"):
        Pairs(500)


SHAPES = {"scalar": (), "vector": (3,), "matrix": (3, 3)}


def random_weights(weights, num_fields=5):
    torch.manual_seed(0)
    block = WeightedPairs(num_fields, 3, weights).double()
    torch.nn.init.normal_(block.weight)
    return block, torch.randn(4, num_fields, 3, dtype=torch.double)


def as_matrix(weight):
    return weight * torch.eye(3, dtype=torch.double) if weight.dim() < 2 else weight


@pytest.mark.parametrize("weights", SHAPES)
def test_it_is_the_sum_over_pairs_with_the_matrix_of_each(weights):
    block, fields = random_weights(weights)
    expected = torch.zeros(4, dtype=torch.double)
    for p, (f, g) in enumerate(itertools.combinations(range(5), 2)):
        expected += ((fields[:, f] @ as_matrix(block.weight[p])) * fields[:, g]).sum(1)
    torch.testing.assert_close(block(fields), expected)


@pytest.mark.parametrize("weights", SHAPES)
def test_every_weight_has_the_gradient_of_its_pair(weights):
    block, fields = random_weights(weights)
    block(fields).sum().backward()
    for p, (f, g) in enumerate(itertools.combinations(range(5), 2)):
        outer = torch.einsum("bi,bj->ij", fields[:, f], fields[:, g])
        expected = {"scalar": outer.trace(), "vector": outer.diagonal(), "matrix": outer}[weights]
        torch.testing.assert_close(block.weight.grad[p], expected)


@pytest.mark.parametrize(("weights", "shape"), SHAPES.items())
def test_it_starts_as_fms_sum(weights, shape):
    fields = torch.randn(4, 6, 3, dtype=torch.double)
    block = WeightedPairs(6, 3, weights).double()
    assert block.weight.shape == (15, *shape)
    torch.testing.assert_close(block(fields), FMInteraction()(fields))


@pytest.mark.parametrize("weights", SHAPES)
def test_a_field_alone_has_no_pairs(weights):
    block, fields = random_weights(weights, num_fields=1)
    assert not block(fields).any()


def test_matrices_that_would_not_fit_are_refused():
    with pytest.raises(UserError, match=r"a matrix for each of 499,999,500,000 pairs of fields.*smaller embedding_dim"):
        WeightedPairs(1_000_000, 16, "matrix")
