"""Fields weighed by their importance, and products of pairs of fields with matrices in between."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from ctr.blocks.memory import check_weights
from ctr.blocks.mlp import xavier_linear
from ctr.blocks.pairs import Pairs
from ctr.errors import UserError

BilinearType = Literal["field_all", "field_each", "field_interaction"]


class SqueezeExcitation(nn.Module):
    """a_i e_i for every field i, a = ReLU(W_2 ReLU(W_1 z)), z_i the mean of e_i's components: (B, F, D) -> (B, F, D).

    Huang et al., "FiBiNET", RecSys 2019, section 3.2. Between W_1 and W_2 stand F / reduction_ratio units, rounded down
    and at least 1.
    """

    def __init__(self, num_fields: int, reduction_ratio: int):
        super().__init__()
        if reduction_ratio < 1:
            raise UserError(f"reduction_ratio must be at least 1, found {reduction_ratio}")
        self.reduction_ratio = reduction_ratio
        reduced = max(1, num_fields // reduction_ratio)
        self.squeeze = xavier_linear(num_fields, reduced, bias=False)
        self.excite = xavier_linear(reduced, num_fields, bias=False)

    def forward(self, xv: Tensor) -> Tensor:
        importance: Tensor = self.excite(self.squeeze(xv.mean(dim=-1)).relu()).relu()  # (B, F)
        return xv * importance.unsqueeze(-1)

    def extra_repr(self) -> str:
        return f"reduction_ratio={self.reduction_ratio}"


class BilinearPairs(nn.Module):
    """(e_i W) * e_j for all i < j: (B, F, D) -> (B, P, D), P = F (F - 1) / 2, in the order of `Pairs`.

    Huang et al., "FiBiNET", RecSys 2019, section 3.3: one W for all pairs (`field_all`), one for every i
    (`field_each`; the last field has none, as it is no pair's first), or one for every pair (`field_interaction`).
    Every W starts Xavier-normal.
    """

    def __init__(self, num_fields: int, dim: int, kind: BilinearType):
        super().__init__()
        if kind not in get_args(BilinearType):
            raise UserError(f"bilinear_type must be one of {', '.join(get_args(BilinearType))}; found {kind!r}")
        if num_fields < 2:
            raise UserError("pairs of fields need two fields or more, and there is one; take a model without pairs")
        self.pairs, self.kind = Pairs(num_fields), kind
        count = {"field_all": 1, "field_each": num_fields - 1, "field_interaction": self.pairs.num_pairs}[kind]
        remedy = "choose bilinear_type field_each or field_all, or a smaller embedding_dim"
        check_weights(count * dim * dim, f"{count} matrices of bilinear_type {kind}", remedy)
        self.matrices = nn.Parameter(torch.empty(count, dim, dim))
        nn.init.normal_(self.matrices, std=math.sqrt(1 / dim))

    def forward(self, xv: Tensor) -> Tensor:
        if self.kind == "field_interaction":
            left: Tensor = self.times(xv.index_select(1, self.pairs.left))
        else:
            left = self.times(xv[:, :-1]).index_select(1, self.pairs.left)
        return left * xv.index_select(1, self.pairs.right)

    def times(self, vectors: Tensor) -> Tensor:
        """Each vector times its matrix, or the one there is."""
        return (vectors.transpose(0, 1) @ self.matrices).transpose(0, 1)

    def extra_repr(self) -> str:
        return f"kind={self.kind}"
