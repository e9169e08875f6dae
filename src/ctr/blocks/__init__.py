"""Blocks that models are made of. A block takes tensors and a schema; it knows no model, dataset or config."""

from ctr.blocks.anova import AnovaKernel
from ctr.blocks.attention import FieldAttention
from ctr.blocks.cin import CIN
from ctr.blocks.convolution import FieldConvolutions, PMaxPool
from ctr.blocks.cross import CrossNet, CrossNetV2
from ctr.blocks.crosses import HashedPairs
from ctr.blocks.distillation import LogitMean
from ctr.blocks.dropout import Dropout
from ctr.blocks.embedding import FeatureEmbedding, FieldPool, SlotSelect
from ctr.blocks.factorized import FactorizedInteraction, FactorizedMLP, FieldGate
from ctr.blocks.field_aware import FieldAware
from ctr.blocks.gated_cross import GatedCrossNetwork
from ctr.blocks.interaction import BiInteraction, FMInteraction
from ctr.blocks.linear import FeatureLinear, LogitSum
from ctr.blocks.logarithmic import LogarithmicTransform
from ctr.blocks.mask import FieldLayerNorm, MaskBlock
from ctr.blocks.mlp import MLP
from ctr.blocks.pair_attention import PairAttention
from ctr.blocks.pairs import Pairs, WeightedPairs
from ctr.blocks.product import InnerProducts, KernelProducts, OuterProduct, ThetaProducts
from ctr.blocks.residual import ResidualUnit
from ctr.blocks.squeeze import BilinearPairs, SqueezeExcitation
from ctr.blocks.two_stream import BilinearFusion, ContextEmbedding, FeatureGate

__all__ = [
    "CIN",
    "MLP",
    "AnovaKernel",
    "BiInteraction",
    "BilinearFusion",
    "BilinearPairs",
    "ContextEmbedding",
    "CrossNet",
    "CrossNetV2",
    "Dropout",
    "FMInteraction",
    "FactorizedInteraction",
    "FactorizedMLP",
    "FeatureEmbedding",
    "FeatureGate",
    "FeatureLinear",
    "FieldAttention",
    "FieldAware",
    "FieldConvolutions",
    "FieldGate",
    "FieldLayerNorm",
    "FieldPool",
    "GatedCrossNetwork",
    "HashedPairs",
    "InnerProducts",
    "KernelProducts",
    "LogarithmicTransform",
    "LogitMean",
    "LogitSum",
    "MaskBlock",
    "OuterProduct",
    "PMaxPool",
    "PairAttention",
    "Pairs",
    "ResidualUnit",
    "SlotSelect",
    "SqueezeExcitation",
    "ThetaProducts",
    "WeightedPairs",
]
