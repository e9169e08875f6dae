"""its equations, parallel and stacked; with silent crosses equals a plain network; logits of FuxiCTR"""

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import make, rows_of


def x_0(model, ids, values):
    """The sums of the slots of each field of the mixed schema, side by side."""
    xv = values.unsqueeze(-1) * model.embedding.table.weight[ids]
    return torch.cat([xv[:, 0], xv[:, 1:4].sum(1), xv[:, 4], xv[:, 5]], dim=1)


def crossed(model, start):
    x = start
    for cross, gate in zip(model.cross.crosses, model.cross.gates, strict=True):
        x = start * (x @ cross.weight.T + cross.bias) * torch.sigmoid(x @ gate.weight.T) + x
    return x


def random_gdcn(schema, structure, **changes):
    model = make("gdcn", schema, structure=structure, num_cross_layers=2, **changes)
    for cross in model.cross.crosses:
        nn.init.normal_(cross.bias)
    return model


def test_the_parallel_form_puts_the_last_cross_beside_the_network():
    schema = mixed_schema()
    model, rows = random_gdcn(schema, "parallel"), rows_of(schema)
    x = x_0(model, *rows)
    expected = model.head(torch.cat([crossed(model, x), model.mlp(x)], dim=1))[:, 0]
    torch.testing.assert_close(model(*rows), expected)


def test_the_stacked_form_puts_the_network_on_the_last_cross():
    schema = mixed_schema()
    model, rows = random_gdcn(schema, "stacked"), rows_of(schema)
    expected = model.head(model.mlp(crossed(model, x_0(model, *rows))))[:, 0]
    torch.testing.assert_close(model(*rows), expected)


def test_the_stacked_form_without_layers_is_the_cross_network_alone():
    schema = mixed_schema()
    model, rows = random_gdcn(schema, "stacked", hidden_dims=[]), rows_of(schema)
    torch.testing.assert_close(model(*rows), model.head(crossed(model, x_0(model, *rows)))[:, 0])


@pytest.mark.parametrize("structure", ["parallel", "stacked"])
def test_with_silent_crosses_it_is_a_plain_network(structure):
    schema = mixed_schema()
    model, rows = make("gdcn", schema, structure=structure), rows_of(schema)
    for cross in model.cross.crosses:
        nn.init.zeros_(cross.weight)
    x = x_0(model, *rows)
    hidden = torch.cat([x, model.mlp(x)], dim=1) if structure == "parallel" else model.mlp(x)
    torch.testing.assert_close(model(*rows), model.head(hidden)[:, 0])


VARIANTS = {
    "stacked": {"structure": "stacked", "hidden_dims": [40]},
    "alone": {"structure": "stacked", "hidden_dims": [], "num_cross_layers": 2},
}
