"""Stacked fully connected layers."""

from collections.abc import Sequence
from typing import Any, Literal

from torch import Tensor, nn

from ctr.blocks.dropout import Dropout
from ctr.blocks.units import units

Activation = Literal["relu", "tanh", "sigmoid", "identity"]

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


class MLP(nn.Module):
    """Layers of Linear -> batch norm -> activation -> dropout: (B, in_features) -> (B, out_features).

    With no layer it is the identity. What `forward` takes as `plus`, (B, H), is added to the sums of the first layer.
    `dropout` is the share of units that is dropped. Weights start Xavier-normal and biases at 0, as in FuxiCTR; a batch
    norm's running statistics use `batch_norm_eps` (TensorFlow's default, and so the NFM authors', is 1e-3, torch's
    1e-5).
    """

    def __init__(
        self,
        in_features: int,
        hidden_dims: Sequence[int],
        *,
        activation: Activation = "relu",
        dropout: float = 0.0,
        batch_norm: bool = False,
        batch_norm_eps: float = 1e-5,
    ):
        super().__init__()
        self.out_features = in_features
        layers: list[nn.Module] = []
        for width in hidden_dims:
            if width < 1:
                raise ValueError(f"hidden_dims must all be at least 1, found {list(hidden_dims)}")
            layers.append(xavier_linear(self.out_features, width))
            if batch_norm:
                layers.append(nn.BatchNorm1d(width, eps=batch_norm_eps))
            layers += [ACTIVATIONS[activation](), Dropout(dropout)]
            self.out_features = width
        self.layers = nn.Sequential(*layers)
        self.per_layer = 4 if batch_norm else 3  # modules

    def forward(self, inputs: Tensor, plus: Tensor | None = None) -> Tensor:
        hidden = inputs
        layers: list[Any] = list(self.layers)
        for start in range(0, len(layers), self.per_layer):
            linear, *norm, activation, dropout = layers[start : start + self.per_layer]
            first = plus if start == 0 else None
            hidden = units(hidden, linear, norm[0] if norm else None, activation, dropout, plus=first)
        return hidden


def xavier_linear(in_features: int, out_features: int, *, bias: bool = True) -> nn.Linear:
    """A linear layer that starts Xavier-normal, with bias 0."""
    linear = nn.Linear(in_features, out_features, bias=bias)
    nn.init.xavier_normal_(linear.weight)
    if bias:
        nn.init.zeros_(linear.bias)
    return linear
