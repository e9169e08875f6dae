"""z bit for bit from the FM's weights; worked values; first predictions of 1/2 from a zero head; the FM stage's trace
of the authors' code on iPinYou"""

import torch

from ctr.models import FNN
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema
from tests.models.options import FNN_OPTIONS
from tests.models.shared import (
    FIELDS,
    FNN_WORKED,
    ONE_HOT,
    ONE_HOT_IDS,
    ONES,
    close,
    rows_of,
    trained_fm,
    warm_started,
    with_fixture_weights,
)


def test_o9_the_input_of_fnn():
    fnn = with_fixture_weights(FNN(FIELDS, **FNN_WORKED))
    s1 = [0.1, 0.1, 0.1, 0.2, 0.3, 0.5, -0.1, 0.05, -0.4, 0.1]
    s2 = [0.1, -0.2, -0.3, 0.4, 0, 0.2, 0.3, -0.1, 0.05, -0.25]
    close(fnn.z(ONE_HOT_IDS, ONES), [s1, s2])


def test_o9_the_released_fnn_has_177_inputs():
    schema = FeatureSchema(tuple(Field(f"f{f}", FieldKind.CATEGORICAL, 3) for f in range(16)))
    fnn = FNN(schema, **(FNN_WORKED | {"embedding_dim": 10}))
    ids = torch.tensor([schema.offsets])
    assert fnn.z(ids, torch.ones(1, 16)).shape == (1, 177)
    assert fnn.mlp.layers[0].in_features == 177


def test_o3_fnn_starts_from_fms_weights_bit_for_bit():
    fm, (ids, values) = trained_fm(ONE_HOT), rows_of(ONE_HOT)
    z = warm_started(FNN(ONE_HOT, **FNN_OPTIONS), fm).z(ids, values)
    w_0, w, v = fm.linear.bias, fm.linear.weight.table.weight, fm.embedding.table.weight
    for row, (a, b, c) in zip(z, ids.tolist(), strict=True):
        assert torch.equal(row, torch.cat([w_0, w[a], v[a], w[b], v[b], w[c], v[c]]))


def test_fnn_sums_the_slots_of_a_field_and_scales_by_the_value():
    """z_i = W_0^i x[start_i : end_i], the paper's equation 3, for any x."""
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fnn = warm_started(FNN(schema, **FNN_OPTIONS), trained_fm(schema))
    table = torch.cat([fnn.linear.weight.table.weight, fnn.embedding.table.weight], 1)
    x = torch.zeros(len(ids), schema.num_features, dtype=torch.double).scatter_add(1, ids, values)
    blocks = [x[:, start:end] @ table[start:end] for start, end in [(0, 7), (7, 13), (13, 14), (14, 21)]]
    expected = torch.cat([fnn.linear.bias.expand(len(ids), 1), *blocks], 1)
    torch.testing.assert_close(fnn.z(ids, values), expected)


def test_o3_fnn_with_a_zero_head_first_predicts_one_half_exactly():
    schema = mixed_schema()
    fnn = warm_started(FNN(schema, **(FNN_OPTIONS | {"zero_head": True})), trained_fm(schema))
    assert (fnn(*rows_of(schema)).sigmoid() == 0.5).all()


def test_fnn_keeps_w_0_as_it_is_unless_told_to_train_it():
    schema = mixed_schema()
    for train_w_0 in (True, False):
        fnn = warm_started(FNN(schema, **(FNN_OPTIONS | {"train_w_0": train_w_0})), trained_fm(schema))
        fnn(*rows_of(schema)).sum().backward()
        assert fnn.linear.bias.requires_grad == train_w_0
        assert (fnn.linear.bias.grad is not None) == train_w_0
        assert fnn.linear.weight.table.weight.grad.any()


VARIANTS = {"as released": {"train_w_0": False, "batch_norm": True, "hidden_dims": [300, 100]}}
