"""Cross features whose orders are learnt."""

import torch
from torch import Tensor, nn


class LogarithmicTransform(nn.Module):
    """exp(sum_f w_lf ln |e_f|) = prod_f |e_f|^w_lf, component by component: (B, F, D) -> (B, L, D).

    Cheng, Shen and Huang, "Adaptive Factorization Network", AAAI 2020, the logarithmic transformation layer. Batch norm
    follows the logarithm, one a field, and the exponential, one a neuron. Magnitudes below `min_magnitude` count as
    that, and send no gradient: ln 0 has no value. Signs do not count, so x and -x are one number to it.
    """

    def __init__(self, num_fields: int, num_neurons: int, *, min_magnitude: float):
        super().__init__()
        if num_neurons < 1 or min_magnitude <= 0:
            raise ValueError(
                f"num_neurons must be at least 1 and min_magnitude above 0, found {num_neurons} and {min_magnitude}"
            )
        self.min_magnitude = min_magnitude
        self.log_norm = nn.BatchNorm1d(num_fields)
        self.orders = nn.Parameter(nn.init.xavier_normal_(torch.empty(num_neurons, num_fields)))  # (L, F)
        self.exp_norm = nn.BatchNorm1d(num_neurons)

    def forward(self, vectors: Tensor) -> Tensor:
        logs = self.log_norm(vectors.abs().clamp(min=self.min_magnitude).log())  # (B, F, D)
        with torch.autocast(vectors.device.type, enabled=False):  # an exponential makes bf16's error a relative one
            crossed = (self.orders @ logs.to(self.orders.dtype)).exp()  # (B, L, D)
        normed: Tensor = self.exp_norm(crossed)
        return normed

    def extra_repr(self) -> str:
        return f"min_magnitude={self.min_magnitude}"
