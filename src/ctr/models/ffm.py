"""Field-aware factorization machines."""

from torch import Tensor, nn
from torch.nn import functional

from ctr.blocks import FeatureEmbedding, FeatureLinear, FieldAware
from ctr.schema import FeatureSchema


class FFM(nn.Module):
    """logit = w_0 + sum_i w_i x_i + sum_{i<j} <v_{i,f(j)}, v_{j,f(i)}> x_i x_j, f(j) the field of feature j.

    Juan et al., "Field-aware Factorization Machines for CTR Prediction", RecSys 2016, equation 4. Two slots of one
    field meet by their vectors for that field; where every field has one slot there are no such vectors, and F - 1 for
    each feature. LIBFFM has no w_0 and w (`linear: false`), and scales each row to length 1 before it takes pairs
    (`normalize: true`); FuxiCTR has them and does not. LIBFFM's own training (Adagrad whose sums start at 1, vectors
    uniform from 0 to 1/sqrt(k)) is not imitated.
    """

    def __init__(self, schema: FeatureSchema, *, embedding_dim: int, init_std: float, linear: bool, normalize: bool):
        super().__init__()
        self.interaction = FieldAware(schema, embedding_dim)
        self.linear = FeatureLinear(schema) if linear else None
        self.embedding = FeatureEmbedding(schema, self.interaction.num_vectors * embedding_dim, init_std=init_std)
        self.normalize = normalize

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        x = functional.normalize(values, dim=1) if self.normalize else values
        pairs: Tensor = self.interaction(self.embedding(ids, x))  # (B, S, V D) -> (B,)
        return pairs if self.linear is None else self.linear(ids, values) + pairs

    def extra_repr(self) -> str:
        return f"normalize={self.normalize}"
