"""the double sum over slots; worked value; FM with equal vectors; 490,400 parameters on Frappe, as BARS prints;
logits of pytorch-fm and FuxiCTR"""

import itertools

import pytest
import torch
from torch import nn

from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema
from tests.models.shared import (
    FIELDS,
    ONE_HOT,
    ONE_HOT_IDS,
    ONES,
    categorical,
    close,
    count,
    double,
    make,
    rows_of,
    trained_fm,
)

VARIANTS = {"of LIBFFM": {"linear": False, "normalize": True}, "with w and normalized": {"normalize": True}}


def test_o8_ffm():
    """Vectors for the other fields, in their order."""
    ffm = make("ffm", FIELDS, embedding_dim=2, linear=False)
    with torch.no_grad():
        ffm.embedding.table.weight[0] = double([0.1, 0.2, 0.3, -0.1])  # for f1, f2
        ffm.embedding.table.weight[2] = double([0.5, -0.1, -0.2, 0.4])  # for f0, f2
        ffm.embedding.table.weight[4] = double([0.2, 0.2, -0.3, 0.1])  # for f0, f1
    close(ffm(ONE_HOT_IDS[:1], ONES[:1]), [0.17])


@pytest.mark.parametrize("normalize", [False, True])
def test_ffm_is_the_double_sum_over_slots(normalize):
    """On a schema in which a field has several slots, so that each feature has a vector for its own field too."""
    schema = mixed_schema()
    ids, values = rows_of(schema)
    ffm, fields = make("ffm", schema, normalize=normalize), schema.slot_fields
    for parameter in ffm.linear.parameters():
        nn.init.normal_(parameter)
    v = ffm.embedding.table.weight.view(schema.num_features, schema.num_fields, 4)
    for row, x, logit, first in zip(ids.tolist(), values, ffm(ids, values), ffm.linear(ids, values), strict=True):
        length = sum(value**2 for value in x) if normalize else 1
        for i, j in itertools.combinations(range(len(row)), 2):
            first = first + torch.dot(v[row[i], fields[j]], v[row[j], fields[i]]) * x[i] * x[j] / length
        torch.testing.assert_close(logit, first)


@pytest.mark.parametrize("schema", [ONE_HOT, mixed_schema()], ids=["one slot a field", "several"])
def test_ffm_with_the_same_vector_for_every_field_is_fm(schema):
    ffm, fm = make("ffm", schema), trained_fm(schema)
    ffm.linear.load_state_dict(fm.linear.state_dict())
    with torch.no_grad():
        ffm.embedding.table.weight.copy_(fm.embedding.table.weight.repeat(1, ffm.interaction.num_vectors))
    torch.testing.assert_close(ffm(*rows_of(schema)), fm(*rows_of(schema)))


def test_without_a_first_order_ffm_has_its_table_alone():
    ffm = make("ffm", FIELDS, linear=False)
    assert [name for name, _ in ffm.named_parameters()] == ["embedding.table.weight"]


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("num_features", "num_fields", "expected"), [(5389, 10, 490400), (90239, 3, 1895020)])
def test_ffm_has_the_parameters_that_bars_logs(num_features, num_fields, expected):
    """Frappe_x1 and MovielensLatest_x1, k = 10: F - 1 vectors a feature."""
    assert count(make("ffm", categorical(num_features, num_fields), embedding_dim=10)) == expected


def test_a_table_that_would_not_fit_is_refused_before_it_is_made():
    schema = FeatureSchema(tuple(Field(f"C{i}", FieldKind.CATEGORICAL, 10**8) for i in range(26)))
    with pytest.raises(UserError, match=r"2,600,000,000 features with 25 vectors of 4: .* 3,120.0 GB"):
        make("ffm", schema)
