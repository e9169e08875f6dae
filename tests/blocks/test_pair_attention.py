"""PairAttention is a softmax over the used pairs, and the weighted sum of them."""

import math

import pytest
import torch

from ctr.blocks import PairAttention


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
