"""Which pairs count for an example."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from ctr.blocks.dropout import Dropout
from ctr.blocks.mlp import xavier_linear
from ctr.blocks.pieces import pieces


class PairAttention(nn.Module):
    """sum_p a_p z_p, a = softmax(h^T relu(W z_p + b)): pairs z (B, P, D) and which are used (B, P) -> (B, D).

    Xiao et al., "Attentional Factorization Machines", IJCAI 2017, equations 4 and 5, whose softmax is over the pairs of
    features that are there: a pair that is not used gets no attention. `dropout` drops attention weights.
    """

    def __init__(self, embedding_dim: int, attention_dim: int, *, dropout: float):
        super().__init__()
        self.hidden = xavier_linear(embedding_dim, attention_dim)
        self.score = xavier_linear(attention_dim, 1, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, pairs: Tensor, used: Tensor) -> Tensor:
        attention: Tensor = self.dropout(self.weights(pairs, used))
        return (attention.unsqueeze(-1) * pairs).sum(dim=1)

    def weights(self, pairs: Tensor, used: Tensor) -> Tensor:
        """a, (B, P)."""
        scores = scored(pairs.flatten(0, 1), self.hidden.weight, self.hidden.bias, self.score.weight[0])
        scores = scores.view(pairs.shape[:2])
        scores = scores.masked_fill(~used, torch.finfo(scores.dtype).min)  # where no pair is used, all z are 0
        return scores.softmax(dim=-1)


def scored(pairs: Tensor, w: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """h^T relu(W z + b) of each pair: (N, D), (A, D), (A,), (A,) -> (N,).

    The hidden units are A / D times as large as the pairs, themselves the largest tensor of a model. They are made
    piece by piece, anew for the gradient, and never stored.
    """
    if torch.compiler.is_compiling():
        return functional.linear(pairs, w, b).relu() @ h
    run: Callable[..., Tensor] = _Scored.apply
    return run(pairs, w, b, h)


class _Scored(torch.autograd.Function):
    """In the numbers' own precision, whatever autocast says: products this narrow gain nothing from bf16."""

    @staticmethod
    def forward(ctx: Any, pairs: Tensor, w: Tensor, b: Tensor, h: Tensor) -> Tensor:
        ctx.save_for_backward(pairs, w, b, h)
        out = pairs.new_empty(len(pairs))
        with torch.autocast(pairs.device.type, enabled=False):
            for z, scores in pieces(len(w), pairs, out):
                torch.mv(torch.addmm(b, z, w.T).relu_(), h, out=scores)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        pairs, w, b, h = ctx.saved_tensors
        of_pairs, of_w, of_b, of_h = torch.empty_like(pairs), *map(torch.zeros_like, (w, b, h))
        with torch.autocast(pairs.device.type, enabled=False):
            for z, of_scores, of_z in pieces(len(w), pairs, grad.contiguous(), of_pairs):
                units = torch.addmm(b, z, w.T).relu_()
                of_h.addmv_(units.T, of_scores)
                of_units = torch.outer(of_scores, h).mul_(units > 0)
                of_w.addmm_(of_units.T, z)
                of_b.add_(of_units.sum(dim=0))
                torch.mm(of_units, w, out=of_z)
        return of_pairs, of_w, of_b, of_h
