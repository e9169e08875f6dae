"""Blocks that models are made of. A block takes tensors and a schema; it knows no model, dataset or config."""

from ctr.blocks.crosses import HashedPairs
from ctr.blocks.dropout import Dropout
from ctr.blocks.embedding import FeatureEmbedding, FieldPool, SlotSelect
from ctr.blocks.interaction import BiInteraction, FMInteraction
from ctr.blocks.linear import FeatureLinear, LogitSum
from ctr.blocks.mlp import MLP
from ctr.blocks.pairs import Pairs

__all__ = [
    "MLP",
    "BiInteraction",
    "Dropout",
    "FMInteraction",
    "FeatureEmbedding",
    "FeatureLinear",
    "FieldPool",
    "HashedPairs",
    "LogitSum",
    "Pairs",
    "SlotSelect",
]
