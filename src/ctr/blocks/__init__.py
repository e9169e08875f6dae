"""Blocks that models are made of. A block takes tensors and a schema; it knows no model, dataset or config."""

from ctr.blocks.dropout import Dropout
from ctr.blocks.embedding import FeatureEmbedding, FieldPool
from ctr.blocks.interaction import BiInteraction, FMInteraction
from ctr.blocks.linear import FeatureLinear
from ctr.blocks.mlp import MLP

__all__ = ["MLP", "BiInteraction", "Dropout", "FMInteraction", "FeatureEmbedding", "FeatureLinear", "FieldPool"]
