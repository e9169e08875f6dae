"""Pairs gathers both sides of all pairs."""

import itertools

import pytest
import torch

from ctr.blocks import Pairs
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
