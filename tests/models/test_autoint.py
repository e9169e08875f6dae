"""torch's own attention, layer by layer; AutoInt+ adds a network; BARS's 306,051 and 622,180 parameters on Frappe;
logits of FuxiCTR"""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ctr.errors import UserError
from tests.conftest import mixed_schema
from tests.models.shared import ONE_HOT, OWN_FIELDS, categorical, count, make, parts_of, rows_of
from tests.models.test_dcn import fields_of


def attention(layer, x, dim, scale):
    """One layer of AutoInt by torch's scaled_dot_product_attention, head after head: (B, F, heads * dim)."""
    heads = []
    for start in range(0, layer.out_features, dim):
        query, key, value = (x @ w.weight[start : start + dim].T for w in (layer.query, layer.key, layer.value))
        heads.append(functional.scaled_dot_product_attention(query, key, value, scale=scale))
    return torch.cat(heads, -1)


@pytest.mark.parametrize(("scale", "factor"), [(True, 3**-0.5), (False, 1.0)])
@pytest.mark.parametrize("layer_norm", [True, False])
def test_autoint_is_its_layers_of_attention_one_upon_the_other(layer_norm, scale, factor):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    sizes = {"num_attention_layers": 3, "num_heads": 2, "attention_dim": 3}
    model = make("autoint", schema, hidden_dims=[], linear=True, scale=scale, layer_norm=layer_norm, **sizes)
    nn.init.normal_(model.linear.weight.table.weight)
    x = fields_of(model, ids, values)
    for depth, layer in enumerate(model.attention):
        x = attention(layer, x, 3, factor) + (layer.residual(x) if depth == 0 else x)
        x = functional.layer_norm(x, (6,)).relu() if layer_norm else x.relu()
    expected = x.flatten(1) @ model.attention_head.weight[0] + model.attention_head.bias
    first_order = (values * model.linear.weight.table.weight[ids, 0]).sum(1)
    torch.testing.assert_close(model(ids, values), expected + first_order)


def test_autoint_plus_is_autoint_and_a_network_on_one_table():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    plus, alone = make("autoint_plus", schema), make("autoint", schema, hidden_dims=[])
    alone.load_state_dict({name: plus.state_dict()[name] for name in alone.state_dict()})
    deep = plus.head(plus.mlp(fields_of(plus, ids, values).flatten(1))).squeeze(1)
    torch.testing.assert_close(plus(ids, values), alone(ids, values) + deep)


def test_without_values_a_layer_hands_on_the_positive_part_of_its_fields():
    model = make("autoint", ONE_HOT, hidden_dims=[], num_attention_layers=2, num_heads=2, attention_dim=2)
    for layer in model.attention:
        nn.init.zeros_(layer.value.weight)
    ids, values = rows_of(ONE_HOT)
    e = model.embedding.table.weight[ids].flatten(1)
    torch.testing.assert_close(model(ids, values), model.attention_head(e.relu()).squeeze(1))


@pytest.mark.parametrize("hidden_dims", [[], [3]])
def test_each_part_may_be_given_its_own_fields_and_a_weight(hidden_dims):
    model = make("autoint", mixed_schema(), hidden_dims=hidden_dims, linear=True, **OWN_FIELDS)
    first, e, weights = parts_of(model)
    parts = [model.attention_head(model.attention(e).flatten(1))[:, 0], first]
    if hidden_dims:
        parts.insert(1, model.head(model.mlp(e.flatten(1)))[:, 0])
    torch.testing.assert_close(model(*rows_of(mixed_schema())), torch.stack(parts, 1) @ weights)


def test_fields_of_a_linear_part_that_is_not_there_are_refused():
    with pytest.raises(UserError, match="linear_fields is of the linear part, which linear=true adds"):
        make("autoint", mixed_schema(), linear_fields=["user"])


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("name", "num_features", "num_fields", "changes", "expected"),
    [
        ("autoint", 5389, 10, {"num_attention_layers": 6}, 306051),
        ("autoint_plus", 5389, 10, {"num_attention_layers": 5, "layer_norm": True}, 622180),
        ("autoint", 90239, 3, {"num_attention_layers": 2, "layer_norm": True, "linear": True}, 1047798),
        ("autoint_plus", 90239, 3, {"num_attention_layers": 2, "layer_norm": True, "linear": True}, 1383799),
    ],
)
def test_bars_logs_these_numbers_of_parameters(name, num_features, num_fields, changes, expected):
    """Frappe_x1 and MovielensLatest_x1; FuxiCTR's attention_dim of 128 is that of four heads together."""
    options = {"embedding_dim": 10, "num_heads": 4, "attention_dim": 32, "batch_norm": True} | changes
    hidden_dims = [400, 400, 400] if name == "autoint_plus" else []
    assert count(make(name, categorical(num_features, num_fields), hidden_dims=hidden_dims, **options)) == expected


READ_WITH = {"linear_fields": {"linear": True}}

VARIANTS = {
    "with norms and a linear part": {"linear": True, "layer_norm": True, "scale": False, "attention_dropout": 0.1},
    "without residual": {"residual": False},
    "with weights": {"weigh_logits": True, "linear": True},
}
