"""Product-based neural networks."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks import (
    MLP,
    FeatureEmbedding,
    FieldPool,
    InnerProducts,
    KernelProducts,
    OuterProduct,
    ThetaProducts,
)
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.errors import UserError
from ctr.schema import FeatureSchema


class PNN(nn.Module):
    """logit = head(MLP(l_1)), l_1 = act(W_z z + l_p + b_1), z = [f_1; ...; f_F], l_p = W_p p for products p of pairs.

    Qu et al., "Product-based Neural Networks for User Response Prediction", ICDM 2016, equations 11 and 14. W_z z +
    W_p p is one layer on [z; p], and so it is written here. IPNN: `inner: pairs` has p = all <f_i, f_j>, i < j, as the
    authors' code of 2017, FuxiCTR and BARS; `theta` is the paper's equation 11, whose factorized W_p makes l_p^n =
    || sum_i theta_i^n f_i ||^2 for hidden unit n. OPNN: `outer: superposition` has p = f_S f_S^T, f_S = sum_i f_i,
    equation 14; `kernel` has p = all f_i^T K_ij f_j, i < j, the authors' code of 2017. PNN*: both. Neither: DNN. With
    batch norm, which is ours, act stands for act(BN(.)).
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        inner: Literal["none", "pairs", "theta"],
        outer: Literal["none", "superposition", "kernel"],
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        batch_norm: bool,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        products: list[InnerProducts | OuterProduct | KernelProducts] = []
        if inner == "pairs":
            products.append(InnerProducts(schema.num_fields))
        if outer == "superposition":
            products.append(OuterProduct(embedding_dim))
        if outer == "kernel":
            products.append(KernelProducts(schema.num_fields, embedding_dim))
        self.products = nn.ModuleList(products)
        in_features = schema.num_fields * embedding_dim + sum(product.out_features for product in products)
        self.mlp = MLP(in_features, hidden_dims, activation=activation, dropout=dropout, batch_norm=batch_norm)
        if inner == "theta" and not hidden_dims:
            raise UserError("inner: theta is a sum for each unit of the first hidden layer, and hidden_dims is empty")
        self.theta = ThetaProducts(schema.num_fields, hidden_dims[0]) if inner == "theta" else None
        self.head = xavier_linear(self.mlp.out_features, 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        f = self.fields(self.embedding(ids, values))  # (B, F, D)
        z_p = torch.cat([f.flatten(1), *(product(f) for product in self.products)], dim=-1)  # [z; p]
        l_p = None if self.theta is None else self.theta(f)  # (B, H) of the first layer
        logits: Tensor = self.head(self.mlp(z_p, l_p)).squeeze(-1)  # (B,)
        return logits
