"""Blocks that models are made of. A block takes tensors and a schema; it knows no model, dataset or config."""

from ctr.blocks.distillation import LogitMean
from ctr.blocks.dropout import Dropout
from ctr.blocks.embedding import FeatureEmbedding, FieldPool, SlotSelect
from ctr.blocks.factorized import FactorizedInteraction, FactorizedMLP, FieldGate
from ctr.blocks.gated_cross import GatedCrossNetwork
from ctr.blocks.interaction import BiInteraction, FMInteraction
from ctr.blocks.linear import FeatureLinear, LogitSum
from ctr.blocks.logarithmic import LogarithmicTransform
from ctr.blocks.mask import FieldLayerNorm, MaskBlock
from ctr.blocks.mlp import MLP
from ctr.blocks.two_stream import BilinearFusion, ContextEmbedding, FeatureGate

__all__ = [
    "MLP",
    "BiInteraction",
    "BilinearFusion",
    "ContextEmbedding",
    "Dropout",
    "FMInteraction",
    "FactorizedInteraction",
    "FactorizedMLP",
    "FeatureEmbedding",
    "FeatureGate",
    "FeatureLinear",
    "FieldGate",
    "FieldLayerNorm",
    "FieldPool",
    "GatedCrossNetwork",
    "LogarithmicTransform",
    "LogitMean",
    "LogitSum",
    "MaskBlock",
    "SlotSelect",
]
