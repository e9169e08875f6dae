"""Layers that the example masks before they read."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from ctr.blocks.dropout import Dropout
from ctr.blocks.mlp import ACTIVATIONS, Activation, xavier_linear


class FieldLayerNorm(nn.Module):
    """Layer norm of each field's vector, with a scale and a shift of its own: (B, F, D) -> (B, F, D)."""

    def __init__(self, num_fields: int, embedding_dim: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_fields, embedding_dim))
        self.bias = nn.Parameter(torch.zeros(num_fields, embedding_dim))

    def forward(self, vectors: Tensor) -> Tensor:
        return functional.layer_norm(vectors, vectors.shape[-1:]) * self.weight + self.bias


class MaskBlock(nn.Module):
    """activation(LN(W (mask * hidden))), mask = W_2 relu(W_1 example + b_1) + b_2: (B, C), (B, H) -> (B, H').

    Wang, She and Zhang, "MaskNet", DLP-KDD 2021, the instance-guided mask and the MaskBlock. W_1 has `reduction_ratio`
    times as many units as the mask is wide. Dropout follows the activation, as in FuxiCTR.
    """

    def __init__(
        self,
        example_features: int,
        in_features: int,
        out_features: int,
        *,
        reduction_ratio: float,
        activation: Activation,
        dropout: float,
        layer_norm: bool,
    ):
        super().__init__()
        width = int(in_features * reduction_ratio)
        if width < 1:
            raise ValueError(f"reduction_ratio {reduction_ratio} leaves no unit of {in_features}")
        self.mask = nn.Sequential(xavier_linear(example_features, width), nn.ReLU(), xavier_linear(width, in_features))
        self.layer = nn.Sequential(
            xavier_linear(in_features, out_features, bias=False),
            nn.LayerNorm(out_features) if layer_norm else nn.Identity(),
            ACTIVATIONS[activation](),
            Dropout(dropout),
        )

    def forward(self, example: Tensor, hidden: Tensor) -> Tensor:
        out: Tensor = self.layer(self.mask(example) * hidden)
        return out
