"""Models with known weights on known rows, as finished runs."""

from typing import Any

import numpy as np
import torch
from torch import nn

from ctr.app.explain.sample import Sample
from ctr.app.restore import Run
from ctr.batch import Batch
from ctr.data.module import Data
from ctr.schema import FeatureSchema
from tests.conftest import mixed_schema, random_batch
from tests.training import builders


def mixed_data(num_rows: int = 60, labels: torch.Tensor | None = None) -> Data:
    """Rows with all kinds of field; the same in each split."""
    schema = mixed_schema()
    batch = random_batch(schema, num_rows)
    if labels is not None:
        batch = Batch(batch.ids, batch.values, labels)
    rows = builders.as_rows(batch)
    return Data(schema, {"train": rows, "valid": rows}, labels="real", source="test")


def as_run(model: nn.Module, data: Data, **trainer: Any) -> Run:
    return Run({}, data, model.eval(), builders.trainer(**trainer))


def scattered(name: str, schema: FeatureSchema, **changes: Any) -> nn.Module:
    """A small model in float64 with every parameter drawn from N(0, 1/4)."""
    model = builders.model(name, schema, **changes).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5)
    return model.eval()


def whole(data: Data, split: str = "valid") -> Sample:
    return Sample.draw(data, split, 10**9, 1)


class Known(nn.Module):
    """A logit that is this function of the local ids of one-slot fields."""

    def __init__(self, schema: FeatureSchema, function):
        super().__init__()
        self.offsets, self.function = torch.tensor(schema.offsets), function
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, ids, values):
        return self.function((ids - self.offsets).T.double())


def tokens_data(num_rows: int, num_fields: int, num_tokens: int, function, seed: int = 0) -> tuple[Data, np.ndarray]:
    """Rows of uniform tokens, with `function` of a row's tokens for a label."""
    from ctr.schema import Field, FieldKind

    random = np.random.default_rng(seed)
    tokens = random.integers(num_tokens, size=(num_rows, num_fields))
    schema = FeatureSchema(tuple(Field(f"f{i}", FieldKind.CATEGORICAL, num_tokens) for i in range(num_fields)))
    ids = torch.from_numpy(tokens) + torch.tensor(schema.offsets)
    labels = torch.as_tensor(function(torch.from_numpy(tokens.T).double()), dtype=torch.float32)
    rows = builders.as_rows(Batch(ids, torch.ones(ids.shape), labels))
    return Data(schema, {"train": rows, "valid": rows}, labels="real", source="test"), tokens
