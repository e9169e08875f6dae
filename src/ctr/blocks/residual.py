"""Residual units: what a network adds to its input."""

from torch import Tensor, nn

from ctr.blocks.dropout import Dropout
from ctr.blocks.mlp import ACTIVATIONS, Activation, xavier_linear
from ctr.blocks.units import units


class ResidualUnit(nn.Module):
    """act(x + W_2 act(W_1 x + b_1) + b_2), whose inner layer has `width` units: (B, in_features) -> (B, in_features).

    Shan et al., "Deep Crossing", KDD 2016. Batch norm before the outer activation and dropout after it
    are where FuxiCTR has them.
    """

    def __init__(self, in_features: int, width: int, *, activation: Activation, dropout: float, batch_norm: bool):
        super().__init__()
        self.inner = xavier_linear(in_features, width)
        self.outer = xavier_linear(width, in_features)
        self.activation = ACTIVATIONS[activation]()
        self.norm = nn.BatchNorm1d(in_features) if batch_norm else None
        self.undropped, self.dropout = Dropout(0.0), Dropout(dropout)

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = units(inputs, self.inner, None, self.activation, self.undropped)  # (B, width)
        return units(hidden, self.outer, self.norm, self.activation, self.dropout, plus=inputs)  # (B, in_features)
