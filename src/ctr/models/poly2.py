"""Degree-2 polynomials with hashed pairs."""

from torch import Tensor, nn

from ctr.blocks import FeatureLinear, HashedPairs
from ctr.schema import FeatureSchema


class Poly2(nn.Module):
    """logit = w_0 + sum_i w_i x_i + sum_{i<j} w_{h(i,j)} x_i x_j, h(i, j) one of `num_buckets` weights.

    Chang et al., "Training and Testing Low-degree Polynomial Data Mappings via Linear SVM", JMLR 2010. Pairs are hashed
    as in Juan et al., "Field-aware Factorization Machines for CTR Prediction", RecSys 2016, equation 2, which also
    leaves out the squares; h is ours. The weights of pairs belong to the `linear` group of `trainer.groups`.
    """

    def __init__(self, schema: FeatureSchema, *, num_buckets: int, bias: bool):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias)
        self.crosses = HashedPairs(schema, num_buckets)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        logits: Tensor = self.linear(ids, values) + self.crosses(ids, values)  # (B,)
        return logits
