"""Logistic regression."""

from torch import Tensor, nn

from ctr.blocks import FeatureLinear
from ctr.schema import FeatureSchema


class LR(nn.Module):
    """logit = w_0 + sum_i w_i x_i.

    McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013. Its training is FTRL-proximal,
    `optimizer@trainer.optimizer=ftrl schedule@trainer.schedule=constant`, and it has no w_0 of its own (`bias: false`).
    BARS's LR has one and is trained by Adam.
    """

    def __init__(self, schema: FeatureSchema, *, bias: bool):
        super().__init__()
        self.linear = FeatureLinear(schema, bias=bias)

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        logits: Tensor = self.linear(ids, values)  # (B,)
        return logits
