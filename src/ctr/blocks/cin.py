"""The compressed interaction network: products of whole vectors, one degree more a layer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ctr.blocks.mlp import xavier_linear
from ctr.errors import UserError


class CIN(nn.Module):
    """X^k_h = sum_{i,j} W^k_{hij} (X^{k-1}_i * X^0_j), h = 1 .. H_k, and of every X^k_h the sum of its components.

    (B, F, D) -> (B, out_features), X^0 being the input. Lian et al., "xDeepFM", KDD 2018, equations 6 and 7, whose
    layers have no bias and no activation. With `split_half` the first half of a layer's vectors goes to the next
    layer alone and the second half to the output alone, as in the authors' code; all of the last layer is output.
    A layer holds B H_{k-1} F D products.
    """

    def __init__(self, num_fields: int, dims: Sequence[int], *, bias: bool = False, split_half: bool = False):
        super().__init__()
        if not dims or min(dims) < 1 or (split_half and any(dim % 2 for dim in dims[:-1])):
            raise UserError(
                f"cin_dims must list the vectors of at least one layer, at least 1 each, and an even number in all but "
                f"the last where split_half is true; found {list(dims)}, split_half {str(split_half).lower()}"
            )
        self.handed_on = [dim // 2 if split_half else dim for dim in dims[:-1]]
        inputs = [num_fields, *self.handed_on]
        layers = [xavier_linear(count * num_fields, dim, bias=bias) for count, dim in zip(inputs, dims, strict=True)]
        self.layers = nn.ModuleList(layers)
        self.split_half = split_half
        self.out_features = sum(dims) - (sum(self.handed_on) if split_half else 0)

    def forward(self, xv: Tensor) -> Tensor:
        first = xv.transpose(1, 2)  # (B, D, F)
        x, outputs = first, []
        for depth, layer in enumerate(self.layers):
            products = (x.unsqueeze(-1) * first.unsqueeze(-2)).flatten(2)  # (B, D, H_{k-1} * F)
            x = output = layer(products)  # (B, D, H_k)
            if self.split_half and depth < len(self.handed_on):
                x, output = x.chunk(2, dim=-1)
            outputs.append(output.sum(dim=1))
        return torch.cat(outputs, dim=-1)

    def extra_repr(self) -> str:
        return f"split_half={self.split_half}"
