"""sums over fields and maps; DeepFM where CIN takes each pair once; BARS's 429,809 parameters on Frappe; logits of
FuxiCTR and DeepCTR-Torch with biases in CIN"""

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import ONE_HOT, OWN_FIELDS, categorical, count, make, parts_of, rows_of
from tests.models.test_dcn import fields_of


def test_xdeepfm_is_a_linear_part_and_two_networks():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = make("xdeepfm", schema, bias=True, cin_dims=[3, 2], cin_bias=True)
    for parameter in (model.linear.bias, model.linear.weight.table.weight, model.cin_head.bias):
        nn.init.normal_(parameter)
    w = model.linear.weight.table.weight[:, 0]
    for i, (fields, logit) in enumerate(zip(fields_of(model, ids, values), model(ids, values), strict=True)):
        previous, pooled = list(fields), []
        for layer in model.cin.layers:
            pairs = [x * e for x in previous for e in fields]
            maps = [sum(a * z for a, z in zip(weights, pairs, strict=True)) for weights in layer.weight]
            previous = [x + b for x, b in zip(maps, layer.bias, strict=True)]
            pooled += [x.sum() for x in previous]
        expected = model.linear.bias[0] + torch.dot(w[ids[i]], values[i])
        expected = expected + torch.dot(model.cin_head.weight[0], torch.stack(pooled)) + model.cin_head.bias[0]
        expected = expected + (model.head.weight @ model.mlp(fields.flatten()) + model.head.bias)[0]
        torch.testing.assert_close(logit, expected)


def test_xdeepfm_whose_one_map_takes_each_pair_once_is_deepfm():
    deepfm, model = make("deepfm", ONE_HOT), make("xdeepfm", ONE_HOT, cin_dims=[1])
    nn.init.normal_(deepfm.linear.weight.table.weight)
    model.load_state_dict({**model.state_dict(), **deepfm.state_dict()})
    with torch.no_grad():
        model.cin.layers[0].weight.copy_(torch.ones(3, 3).triu(diagonal=1).view(1, 9))
        nn.init.ones_(model.cin_head.weight)
    torch.testing.assert_close(model(*rows_of(ONE_HOT)), deepfm(*rows_of(ONE_HOT)))


def test_without_hidden_layers_the_network_is_left_out():
    model = make("xdeepfm", ONE_HOT, hidden_dims=[])
    assert [name for name, _ in model.named_children()] == ["linear", "embedding", "fields", "cin", "cin_head", "sum"]
    nn.init.zeros_(model.cin_head.weight)
    nn.init.normal_(model.linear.weight.table.weight)
    torch.testing.assert_close(model(*rows_of(ONE_HOT)), model.linear(*rows_of(ONE_HOT)))


@pytest.mark.parametrize("hidden_dims", [[3], []])
def test_each_part_may_be_given_its_own_fields_and_a_weight(hidden_dims):
    model = make("xdeepfm", mixed_schema(), hidden_dims=hidden_dims, **OWN_FIELDS)
    first, e, weights = parts_of(model)
    parts = [first, model.cin_head(model.cin(e))[:, 0]]
    if hidden_dims:
        parts.append(model.head(model.mlp(e.flatten(1)))[:, 0])
    torch.testing.assert_close(model(*rows_of(mixed_schema())), torch.stack(parts, 1) @ weights)


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "num_fields", "cin_dims", "hidden_dims", "batch_norm", "expected"),
    [
        (5389, 10, [64], [400, 400, 400], True, 429809),
        (90239, 3, [64, 64, 64], [400, 400, 400], False, 1351767),
        (5389, 10, [64, 64, 64], [], True, 147984),
    ],
)
def test_bars_logs_these_numbers_of_parameters(num_features, num_fields, cin_dims, hidden_dims, batch_norm, expected):
    """xDeepFM on Frappe_x1 and MovielensLatest_x1, and CIN alone on Frappe_x1."""
    options = {"embedding_dim": 10, "cin_dims": cin_dims, "cin_bias": True, "hidden_dims": hidden_dims}
    assert count(make("xdeepfm", categorical(num_features, num_fields), batch_norm=batch_norm, **options)) == expected


VARIANTS = {
    "with halves": {"cin_dims": [6, 4, 3], "split_half": True},
    "of FuxiCTR": {"cin_bias": True},
    "CIN alone": {"hidden_dims": [], "bias": True},
    "with weights": {"weigh_logits": True},
}
