"""units by plain loops; a head on the fields without units; the NFM paper's parameter counts of DeepCross; logits of
FuxiCTR"""

import pytest
import torch
from torch import nn

from ctr.models import DeepCrossing
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, count_batch_norm, make, rows_of

NFM_PAPER = [512, 512, 256, 128, 64]


def test_each_unit_adds_two_layers_to_what_it_is_given():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = make("deepcrossing", schema, hidden_dims=[6, 3])
    for unit in model.units:
        nn.init.normal_(unit.inner.bias)
        nn.init.normal_(unit.outer.bias)
    xv = model.embedding(ids, values)
    x = torch.cat([xv[:, 0], xv[:, 1] + xv[:, 2] + xv[:, 3], xv[:, 4], xv[:, 5]], dim=1)
    for unit in model.units:
        w_1, b_1, w_2, b_2 = unit.parameters()
        x = (x + (x @ w_1.T + b_1).clamp(min=0) @ w_2.T + b_2).clamp(min=0)
    torch.testing.assert_close(model(ids, values), x @ model.head.weight[0] + model.head.bias)


def test_without_units_it_is_linear_in_the_fields():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = make("deepcrossing", schema, hidden_dims=[])
    fields = model.fields(model.embedding(ids, values)).flatten(1)
    torch.testing.assert_close(model(ids, values), fields @ model.head.weight[0] + model.head.bias)


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "dim", "expected"),
    [
        (5382, 64, 2233921),
        (5382, 128, 4466369),
        (5382, 256, 8931265),
        (90445, 64, 6356353),
        (90445, 128, 12711233),
        (90445, 256, 25420993),
    ],
)
def test_it_has_the_parameters_of_the_nfm_papers_tables(num_features, dim, expected):
    """Frappe has 10 fields, MovieLens 3. The paper counts no batch norm."""
    num_fields = 10 if num_features == 5382 else 3
    schema = categorical(num_features, num_fields)
    model = make("deepcrossing", schema, embedding_dim=dim, hidden_dims=NFM_PAPER, batch_norm=True)
    assert isinstance(model, DeepCrossing)
    assert count_batch_norm(model) == len(NFM_PAPER) * 2 * num_fields * dim
    assert count(model) - count_batch_norm(model) == expected


VARIANTS = {"plain": {"batch_norm": False, "dropout": 0.0, "hidden_dims": [20, 10]}}
