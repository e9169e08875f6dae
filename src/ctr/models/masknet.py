"""Layers masked by the example."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from ctr.blocks import MLP, FeatureEmbedding, FieldLayerNorm, FieldPool, MaskBlock
from ctr.blocks.mlp import Activation, xavier_linear
from ctr.errors import UserError
from ctr.schema import FeatureSchema


class MaskNet(nn.Module):
    """logit = head(MLP([B_1(v, LN(v)); ...; B_n(v, LN(v))])), v = [e_1; ...; e_F], B(v, h) = relu(LN(W (mask(v) * h))).

    Wang, She and Zhang, "MaskNet: Introducing Feature-Wise Multiplication to CTR Ranking Models by Instance-Guided
    Mask", DLP-KDD 2021. That is `structure: parallel`, with `num_blocks` of `block_dim` units; `serial` is
    head(B_n(v, ... B_1(v, LN(v)))), a block for each of `hidden_dims`. Masks see v, which keeps its length;
    LN(v) is a layer norm of each e_f (`embedding_layer_norm`). `layer_norm` is the blocks'.
    """

    def __init__(
        self,
        schema: FeatureSchema,
        *,
        embedding_dim: int,
        init_std: float,
        structure: Literal["parallel", "serial"],
        num_blocks: int,
        block_dim: int,
        reduction_ratio: float,
        hidden_dims: Sequence[int],
        activation: Activation,
        dropout: float,
        embedding_layer_norm: bool,
        layer_norm: bool,
    ):
        super().__init__()
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        self.norm = FieldLayerNorm(schema.num_fields, embedding_dim) if embedding_layer_norm else nn.Identity()
        self.parallel = structure == "parallel"
        if self.parallel and num_blocks < 1:
            raise UserError(f"num_blocks must be at least 1 for structure: parallel, found {num_blocks}")
        width = schema.num_fields * embedding_dim
        block = partial(
            MaskBlock,
            width,
            reduction_ratio=reduction_ratio,
            activation=activation,
            dropout=dropout,
            layer_norm=layer_norm,
        )
        if self.parallel:
            self.blocks = nn.ModuleList(block(width, block_dim) for _ in range(num_blocks))
            self.mlp = MLP(num_blocks * block_dim, hidden_dims, activation=activation, dropout=dropout)
        else:
            widths = [width, *hidden_dims]
            self.blocks = nn.ModuleList(block(*shape) for shape in pairwise(widths))
            self.mlp = MLP(widths[-1], [])  # the identity
        self.head = xavier_linear(self.mlp.out_features, 1)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        vectors = self.fields(self.embedding(ids, values))  # (B, F, D)
        v, hidden = vectors.flatten(1), self.norm(vectors).flatten(1)  # (B, F * D)
        if self.parallel:
            hidden = torch.cat([block(v, hidden) for block in self.blocks], dim=-1)
        else:
            for block in self.blocks:
                hidden = block(v, hidden)
        logits: Tensor = self.head(self.mlp(hidden)).squeeze(-1)  # (B,)
        return logits
