"""Layers that multiply what they add up."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks.dropout import Dropout
from ctr.blocks.mlp import ACTIVATIONS, Activation, xavier_linear

Residual = Literal["concat", "sum"]


class FactorizedInteraction(nn.Module):
    """[h; h * g] or h + h * g, h = W x + b, g = U x + c: (B, in_features) -> (B, out_features).

    Zhu et al., "FINAL: Factorized Interaction Layer for CTR Prediction", SIGIR 2023, in FuxiCTR's form, which has no
    activation on g. `concat` has the weights of a linear layer, its outputs half sums and half products, one more sum
    where their number is odd; `sum` has twice as many.
    """

    def __init__(self, in_features: int, out_features: int, *, residual: Residual):
        super().__init__()
        if out_features < 1:
            raise ValueError(f"a layer must have at least 1 unit, found {out_features}")
        self.concat = residual == "concat"
        self.sizes = [out_features - out_features // 2, out_features // 2] if self.concat else [out_features] * 2
        self.linear = xavier_linear(in_features, sum(self.sizes))  # W above U

    def forward(self, x: Tensor) -> Tensor:
        h, g = self.linear(x).split(self.sizes, dim=-1)
        products = h[:, : g.shape[1]] * g
        return torch.cat([h, products], dim=-1) if self.concat else h + products

    def extra_repr(self) -> str:
        return f"residual={'concat' if self.concat else 'sum'}"


class FactorizedMLP(nn.Module):
    """Layers of FactorizedInteraction -> batch norm -> activation -> dropout: (B, in_features) -> (B, out_features)."""

    def __init__(
        self,
        in_features: int,
        hidden_dims: Sequence[int],
        *,
        residual: Residual,
        activation: Activation,
        dropout: float,
        batch_norm: bool,
    ):
        super().__init__()
        self.out_features = in_features
        layers: list[nn.Module] = []
        for width in hidden_dims:
            layers.append(FactorizedInteraction(self.out_features, width, residual=residual))
            if batch_norm:
                layers.append(nn.BatchNorm1d(width))
            layers += [ACTIVATIONS[activation](), Dropout(dropout)]
            self.out_features = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        hidden: Tensor = self.layers(x)
        return hidden


class FieldGate(nn.Module):
    """[e_f; g_f * e_f], g_f = sum_j w_fj e_j + b_f, component by component: (B, F, D) -> (B, 2 F, D).

    Zhu et al., "FINAL", SIGIR 2023, as in FuxiCTR: all gates start at 1.
    """

    def __init__(self, num_fields: int):
        super().__init__()
        self.linear = nn.Linear(num_fields, num_fields)
        nn.init.zeros_(self.linear.weight)
        nn.init.ones_(self.linear.bias)

    def forward(self, vectors: Tensor) -> Tensor:
        gates = self.linear(vectors.transpose(1, 2)).transpose(1, 2)  # (B, F, D)
        return torch.cat([vectors, gates * vectors], dim=1)
