"""PairAttention is a softmax over the used pairs, and the weighted sum of them."""

import math

import pytest
import torch

from ctr.blocks import PairAttention, pair_attention
from ctr.blocks.pieces import NUMBERS


def random_attention(dropout=0.0):
    torch.manual_seed(0)
    attention = PairAttention(3, 5, dropout=dropout).double()
    torch.nn.init.normal_(attention.hidden.bias)
    return attention


def test_it_is_the_sum_of_the_used_pairs_by_a_softmax_of_their_scores():
    attention, pairs = random_attention(), torch.randn(20, 6, 3, dtype=torch.double)
    used = torch.rand(20, 6) < 0.6
    used[0], used[1] = True, False
    pairs = pairs * used.unsqueeze(-1)
    w, b, h = attention.hidden.weight.tolist(), attention.hidden.bias.tolist(), attention.score.weight[0].tolist()
    for z, there, pooled in zip(pairs.tolist(), used.tolist(), attention(pairs, used), strict=True):
        z = [pair for pair, is_used in zip(z, there, strict=True) if is_used]
        hidden = [
            [max(0.0, sum(map(math.prod, zip(row, pair, strict=True))) + c) for row, c in zip(w, b, strict=True)]
            for pair in z
        ]
        powers = [math.exp(sum(map(math.prod, zip(h, units, strict=True)))) for units in hidden]
        shares = [power / sum(powers) for power in powers]
        expected = [sum(share * pair[d] for share, pair in zip(shares, z, strict=True)) for d in range(3)]
        torch.testing.assert_close(pooled, torch.tensor(expected, dtype=torch.double))


def test_where_no_pair_is_used_it_is_zero_and_so_are_the_gradients():
    attention = random_attention()
    pairs = torch.zeros(2, 4, 3, dtype=torch.double, requires_grad=True)
    pooled = attention(pairs, torch.zeros(2, 4, dtype=torch.bool))
    assert not pooled.any()
    (pooled**2).sum().backward()
    assert not any(parameter.grad.any() for parameter in attention.parameters())


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_drops_attention_weights_after_the_softmax(dropout):
    """With h = 0 each of 4 pairs has 1/4, doubled where it is kept; the others do not take over what is dropped."""
    attention = random_attention(dropout)
    torch.nn.init.zeros_(attention.score.weight)
    pooled = attention(torch.eye(4, 3).double().expand(500, 4, 3), torch.ones(500, 4, dtype=torch.bool))
    assert set(pooled.unique().tolist()) == ({0.0, 0.5} if dropout else {0.25})
    assert set(attention.eval()(torch.eye(4, 3).double()[None], torch.ones(1, 4).bool()).flatten().tolist()) == {0.25}


@pytest.mark.parametrize("piece", [1, 7, 40, 1000])
def test_scores_and_gradients_do_not_depend_on_the_piece(monkeypatch, piece):
    """40 pairs, also one by one and in pieces that do not fit evenly, against autograd's way through all units."""
    monkeypatch.setitem(NUMBERS, "cpu", 5 * piece)
    attention, pairs = random_attention(), torch.randn(10, 4, 3, dtype=torch.double, requires_grad=True)
    leaves = [pairs, *attention.hidden.parameters(), attention.score.weight]
    ours = pair_attention.scored(pairs.flatten(0, 1), *leaves[1:3], leaves[3][0]).view(10, 4)
    theirs = attention.score(attention.hidden(pairs).relu()).squeeze(-1)
    torch.testing.assert_close(ours, theirs)
    wish = torch.randn(10, 4, dtype=torch.double)
    for one, other in zip(*(torch.autograd.grad(scores, leaves, wish) for scores in (ours, theirs)), strict=True):
        torch.testing.assert_close(one, other)


def test_hidden_units_are_not_kept_for_the_gradient():
    attention, kept = PairAttention(3, 64, dropout=0.0), []
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor.numel()) or tensor, lambda t: t):
        attention(torch.randn(20, 6, 3, requires_grad=True), torch.ones(20, 6, dtype=torch.bool))
    assert kept
    assert max(kept) <= 20 * 6 * 3  # and not 20 * 6 * 64


def test_under_autocast_the_scores_stay_in_float32():
    attention, pairs = random_attention().float(), torch.randn(20, 6, 3)
    used = torch.ones(20, 6, dtype=torch.bool)
    exact = attention.weights(pairs, used)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(attention.weights(pairs, used), exact, rtol=0, atol=0)
