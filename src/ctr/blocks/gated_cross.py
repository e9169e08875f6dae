"""Crosses that a gate lets pass."""

from torch import Tensor, nn

from ctr.blocks.mlp import xavier_linear


class GatedCrossNetwork(nn.Module):
    """x_{l+1} = x_0 * (W_l x_l + b_l) * sigmoid(U_l x_l) + x_l, `num_layers` times: (B, H) -> (B, H).

    Wang et al., "Towards Deeper, Lighter and Interpretable Cross Network for CTR Prediction", CIKM 2023, equation 1.
    b starts at 0, where the authors' code draws it from [0, 1).
    """

    def __init__(self, in_features: int, num_layers: int):
        super().__init__()
        self.crosses = nn.ModuleList(xavier_linear(in_features, in_features) for _ in range(num_layers))
        self.gates = nn.ModuleList(xavier_linear(in_features, in_features, bias=False) for _ in range(num_layers))

    def forward(self, inputs: Tensor) -> Tensor:
        x = inputs
        for cross, gate in zip(self.crosses, self.gates, strict=True):
            x = inputs * cross(x) * gate(x).sigmoid() + x
        return x
