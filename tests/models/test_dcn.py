"""worked values; a plain network at cross weights of 0; BARS's 418,591 parameters on Frappe; logits of
pytorch-fm and FuxiCTR"""

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import ONE_HOT_IDS, ONES, categorical, close, count, double, make, rows_of


def fields_of(model, ids, values):
    """e_1 .. e_4 of the mixed schema, by hand: (B, 4, D)."""
    xv = values.unsqueeze(-1) * model.embedding.table.weight[ids]
    return torch.stack([xv[:, 0], xv[:, 1] + xv[:, 2] + xv[:, 3], xv[:, 4], xv[:, 5]], 1)


def test_o8_the_cross_network_alone():
    """x_0 = [1, 2, -1] from three fields of one component; the head reads x_2 = [.03, .12, -.09] digit by digit."""
    dcn = make("dcn", categorical(6, 3), embedding_dim=1, num_cross_layers=2, hidden_dims=[])
    with torch.no_grad():
        dcn.embedding.table.weight.copy_(double([[1, 0, 2, 0, -1, 0]]).T)
        dcn.cross.weight.copy_(double([[0.1, 0.2, 0.3], [-0.5, 0.25, 1]]))
        dcn.cross.bias.copy_(double([[0.01, -0.02, 0.03], [0, 0.1, -0.1]]))
        dcn.head.weight.copy_(double([[1, 10, 100]]))
        dcn.head.bias.fill_(0.5)
    close(dcn(ONE_HOT_IDS[:1], ONES[:1]), [0.03 + 1.2 - 9 + 0.5])


def test_dcn_is_its_head_on_the_cross_network_and_the_network():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    dcn = make("dcn", schema, num_cross_layers=2)
    nn.init.normal_(dcn.cross.bias)
    for row, logit in zip(fields_of(dcn, ids, values), dcn(ids, values), strict=True):
        x_0 = x = row.flatten()
        for w, b in zip(dcn.cross.weight, dcn.cross.bias, strict=True):
            x = x_0 * torch.dot(x, w) + b + x
        both = torch.cat([x, dcn.mlp(x_0)])
        torch.testing.assert_close(logit, torch.dot(dcn.head.weight[0], both) + dcn.head.bias[0])


def test_with_cross_weights_of_zero_dcn_is_a_network_that_sees_its_input_at_the_end():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    dcn = make("dcn", schema)
    nn.init.zeros_(dcn.cross.weight)
    x_0 = fields_of(dcn, ids, values).flatten(1)
    torch.testing.assert_close(dcn(ids, values), dcn.head(torch.cat([x_0, dcn.mlp(x_0)], 1)).squeeze(1))
    nn.init.zeros_(dcn.head.weight[:, :16])
    deep = dcn.mlp(x_0) @ dcn.head.weight[0, 16:] + dcn.head.bias
    torch.testing.assert_close(dcn(ids, values), deep)


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "num_fields", "num_cross_layers", "hidden_dims", "expected"),
    [
        (5389, 10, 3, [400, 400, 400], 418591),
        (90239, 3, 4, [400, 400, 400], 1238661),
        (5389, 10, 6, [], 55191),
    ],
)
def test_bars_logs_these_numbers_of_parameters(num_features, num_fields, num_cross_layers, hidden_dims, expected):
    """DCN on Frappe_x1 and MovielensLatest_x1, and the cross network alone on Frappe_x1."""
    options = {"embedding_dim": 10, "num_cross_layers": num_cross_layers, "hidden_dims": hidden_dims}
    assert count(make("dcn", categorical(num_features, num_fields), batch_norm=True, **options)) == expected


VARIANTS = {"cross network alone": {"hidden_dims": []}}
