"""Higher-order factorization machines."""

from torch import Tensor, nn

from ctr.blocks import AnovaKernel, FeatureEmbedding, FeatureLinear, FMInteraction
from ctr.errors import UserError
from ctr.schema import FeatureSchema


class HOFM(nn.Module):
    """logit = w_0 + sum_i w_i x_i + sum_{m=2..order} A^m(V^m, x), A^3(V, x) = sum_{i<j<l} <v_i, v_j, v_l> x_i x_j x_l.

    Blondel et al., "Higher-Order Factorization Machines", NIPS 2016. Each order has vectors of its own, as there; those
    of order 2 are `embedding`, so that an FM's can be carried over, and `order: 2` is FM. FuxiCTR's HOFM is this one
    where every field has one slot; it can share one table among the orders, which is not offered.
    """

    def __init__(self, schema: FeatureSchema, *, embedding_dim: int, init_std: float, bias: bool, order: int):
        super().__init__()
        most = max(2, schema.num_slots)
        if not 2 <= order <= most:
            raise UserError(f"order must be from 2 to {most}, the slots of an example; found {order}")
        self.linear = FeatureLinear(schema, bias=bias)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.interaction = FMInteraction()
        self.kernels = nn.ModuleList(AnovaKernel(m) for m in range(3, order + 1))
        if order > 2:
            self.higher_embedding = FeatureEmbedding(schema, (order - 2) * embedding_dim, init_std=init_std)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        logits: Tensor = self.linear(ids, values) + self.interaction(self.embedding(ids, values))  # (B,)
        if self.kernels:
            orders = self.higher_embedding(ids, values).chunk(len(self.kernels), dim=-1)  # each (B, S, D)
            logits = logits + sum(kernel(xv) for kernel, xv in zip(self.kernels, orders, strict=True))
        return logits
