"""its equation; AFN+ is half of each part at first; 4,066,711 and 4,482,205 parameters on Frappe, as BARS prints;
logits of FuxiCTR"""

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of

SLOTS = [[0], [1, 2, 3], [4], [5]]  # of the fields of the mixed schema


def random_afn(name, schema, **changes):
    """Its batch norms with statistics and weights of their own, which in evaluation are then not the identity."""
    model = make(name, schema, num_neurons=3, **changes).eval()
    for norm in (model.transform.log_norm, model.transform.exp_norm):
        for tensor in (norm.weight, norm.running_var):
            nn.init.uniform_(tensor, 0.5, 2.0)
        for tensor in (norm.bias, norm.running_mean):
            nn.init.normal_(tensor)
    return model


def affine(norm, i, x):
    return (x - norm.running_mean[i]) / (norm.running_var[i] + 1e-5).sqrt() * norm.weight[i] + norm.bias[i]


def test_it_is_a_network_of_products_of_powers_of_the_fields():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = random_afn("afn", schema)
    transform, table = model.transform, model.embedding.table.weight
    for b, logit in enumerate(model(ids, values)):
        logs = []
        for f, slots in enumerate(SLOTS):
            e = sum(values[b, s] * table[ids[b, s]] for s in slots)
            logs.append(affine(transform.log_norm, f, e.abs().clamp(min=1e-5).log()))
        crossed = []
        for neuron, orders in enumerate(transform.orders):
            power = sum(w * log for w, log in zip(orders, logs, strict=True)).exp()
            crossed.append(affine(transform.exp_norm, neuron, power))
        torch.testing.assert_close(logit, model.head(model.mlp(torch.cat(crossed)))[0])


def test_afn_plus_is_half_of_afn_and_half_of_a_network_on_a_table_of_its_own():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    plus, afn = random_afn("afn_plus", schema, deep_hidden_dims=[7]), random_afn("afn", schema)
    missing = afn.load_state_dict(plus.state_dict(), strict=False)
    assert not missing.missing_keys
    table = plus.deep_embedding.table.weight
    for b, logit in enumerate(plus(ids, values)):
        e = torch.cat([sum(values[b, s] * table[ids[b, s]] for s in slots) for slots in SLOTS])
        deep = plus.deep_head(plus.deep_mlp(e))[0]
        torch.testing.assert_close(logit, (afn(ids, values)[b] + deep) / 2)
    assert not torch.equal(table, plus.embedding.table.weight)


def test_the_weights_of_both_parts_and_their_bias_are_learnt():
    schema = mixed_schema()
    plus = make("afn_plus", schema, num_neurons=3)
    plus(*rows_of(schema)).sum().backward()
    assert plus.sum.weight.grad.all()
    assert plus.sum.bias.grad.all()


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("name", "deep", "expected"), [("afn", [], 4_066_711), ("afn_plus", [400] * 3, 4_482_205)])
def test_it_has_the_parameters_that_bars_prints_for_frappe(name, deep, expected):
    bars = {"embedding_dim": 10, "num_neurons": 1000, "hidden_dims": [400], "deep_hidden_dims": deep}
    assert count(make(name, categorical(5389, 10), **bars)) == expected


VARIANTS = {"of BARS": {"num_neurons": 20, "hidden_dims": [40], "batch_norm": False}}
