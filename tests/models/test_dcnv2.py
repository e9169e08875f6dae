"""rows by plain loops, parallel and stacked; equals DCN at equal rows; BARS's 458,391 parameters on Frappe; logits
of FuxiCTR"""

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import ONE_HOT, categorical, count, make, rows_of
from tests.models.test_dcn import fields_of


@pytest.mark.parametrize("structure", ["parallel", "stacked"])
def test_dcnv2_is_its_head_on_the_cross_network_and_the_network(structure):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = make("dcnv2", schema, structure=structure, num_cross_layers=2)
    for layer in model.cross.layers:
        nn.init.normal_(layer.bias)
    for row, logit in zip(fields_of(model, ids, values), model(ids, values), strict=True):
        x_0 = x = row.flatten()
        for layer in model.cross.layers:
            w = layer.matrices[0][0].T
            x = x_0 * (torch.stack([torch.dot(w_i, x) for w_i in w]) + layer.bias) + x
        last = model.mlp(x) if structure == "stacked" else torch.cat([x, model.mlp(x_0)])
        torch.testing.assert_close(logit, torch.dot(model.head.weight[0], last) + model.head.bias[0])


def test_dcnv2_whose_matrices_have_equal_rows_is_dcn():
    dcn, dcnv2 = (make(name, ONE_HOT) for name in ("dcn", "dcnv2"))
    dcnv2.load_state_dict({**dcnv2.state_dict(), **{k: v for k, v in dcn.state_dict().items() if "cross" not in k}})
    with torch.no_grad():
        for w, layer in zip(dcn.cross.weight, dcnv2.cross.layers, strict=True):
            layer.matrices[0][0].copy_(w.unsqueeze(1).expand(-1, len(w)))
    torch.testing.assert_close(dcnv2(*rows_of(ONE_HOT)), dcn(*rows_of(ONE_HOT)))


def test_the_low_rank_form_is_the_full_matrix_that_is_their_product():
    low, full = (make("dcnv2", ONE_HOT, cross_rank=rank) for rank in (2, 0))
    full.load_state_dict({**full.state_dict(), **{k: v for k, v in low.state_dict().items() if "matrices" not in k}})
    with torch.no_grad():
        for factors, whole in zip(low.cross.layers, full.cross.layers, strict=True):
            whole.matrices[0].copy_(factors.matrices[0] @ factors.matrices[1])
    torch.testing.assert_close(low(*rows_of(ONE_HOT)), full(*rows_of(ONE_HOT)))


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "num_fields", "num_cross_layers", "hidden_dims", "expected"),
    [
        (5389, 10, 4, [400, 400, 400], 458391),
        (90239, 3, 5, [400, 400, 400], 1243071),
        (5389, 10, 4, [], 94391),
    ],
)
def test_bars_logs_these_numbers_of_parameters(num_features, num_fields, num_cross_layers, hidden_dims, expected):
    """DCNv2 on Frappe_x1 and MovielensLatest_x1, and the cross network alone on Frappe_x1."""
    options = {"embedding_dim": 10, "num_cross_layers": num_cross_layers, "hidden_dims": hidden_dims}
    assert count(make("dcnv2", categorical(num_features, num_fields), batch_norm=True, **options)) == expected


VARIANTS = {
    "stacked": {"structure": "stacked"},
    "of low rank": {"cross_rank": 2},
    "of experts": {"cross_rank": 2, "num_experts": 3},
    "cross network alone": {"hidden_dims": []},
}
