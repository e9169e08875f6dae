"""its equations; with silent gates and pairs equals two networks added; 253,392 parameters on the 5,399 rows that BARS
counts; logits of FuxiCTR"""

import pytest
import torch
from torch import nn

from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema
from tests.models.shared import count, make, rows_of

SLOTS = {"user": [0], "genres": [1, 2, 3], "price": [4], "item": [5]}
FIRST_IDS = {"user": 0, "genres": 7, "price": 13, "item": 14}
SMALL = {"gate_hidden_dims": [5], "first_hidden_dims": [7, 6], "second_hidden_dims": [4]}
CONTEXTS = {"first_context": ["user"], "second_context": ["item", "price"]}


def random_finalmlp(schema, **changes):
    model = make("finalmlp", schema, **(SMALL | {"num_heads": 2} | changes))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    return model


def side_by_side(table, ids, values, names, first_ids):
    """One example's field sums, from a table whose rows for a field begin at its first id."""
    moved = {name: FIRST_IDS[name] - first_ids[name] for name in names}
    return torch.cat([sum(values[s] * table[ids[s] - moved[name]] for s in SLOTS[name] if values[s]) for name in names])


def fused(model, first, second):
    """w_1 o_1 + w_2 o_2 + b and the sum over the heads of o_1k^T W_k o_2k, o_1 and o_2 cut in two."""
    o_1, o_2, head = model.first_mlp(first), model.second_mlp(second), model.head
    total = head.first.weight[0] @ o_1 + head.second.weight[0] @ o_2 + head.first.bias[0] + head.second.bias[0]
    return total + o_1[:3] @ head.pairs[0] @ o_2[:2] + o_1[3:] @ head.pairs[1] @ o_2[2:]


@pytest.mark.parametrize("contexts", [CONTEXTS, {}], ids=["fields", "constants"])
def test_each_network_reads_what_its_gate_has_weighed_and_both_are_fused(contexts):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    values[:, 1] = 1  # a genre at least
    model = random_finalmlp(schema, **contexts)
    first_context, second_context = model.first_context_embedding, model.second_context_embedding
    assert first_context is not second_context
    for b, logit in enumerate(model(ids, values)):
        e = side_by_side(model.embedding.table.weight, ids[b], values[b], SLOTS, FIRST_IDS)
        if contexts:  # their tables have user: 0 to 6, and price: 0, item: 1 to 7
            c_1 = side_by_side(first_context.embedding.table.weight, ids[b], values[b], ["user"], {"user": 0})
            table, first_ids = second_context.embedding.table.weight, {"price": 0, "item": 1}
            c_2 = side_by_side(table, ids[b], values[b], ["price", "item"], first_ids)
        else:
            c_1, c_2 = first_context.constant[0], second_context.constant[0]
        g_1 = 2 * torch.sigmoid(model.first_gate.head(model.first_gate.mlp(c_1)))
        g_2 = 2 * torch.sigmoid(model.second_gate.head(model.second_gate.mlp(c_2)))
        torch.testing.assert_close(logit, fused(model, g_1 * e, g_2 * e))


def test_without_feature_selection_both_networks_read_everything_and_silent_gates_are_as_good_as_none():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    gated, plain = random_finalmlp(schema, **CONTEXTS), random_finalmlp(schema, feature_selection=False)
    assert not plain.load_state_dict(gated.state_dict(), strict=False).missing_keys
    assert not torch.allclose(gated(ids, values), plain(ids, values))
    for gate in (gated.first_gate, gated.second_gate):
        nn.init.zeros_(gate.head.weight)
        nn.init.zeros_(gate.head.bias)
    torch.testing.assert_close(gated(ids, values), plain(ids, values))


def test_without_the_pairs_it_is_the_sum_of_two_networks():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = random_finalmlp(schema, feature_selection=False)
    nn.init.zeros_(model.head.pairs)
    x = model.fields(model.embedding(ids, values)).flatten(1)
    networks = model.head.first(model.first_mlp(x)) + model.head.second(model.second_mlp(x))
    torch.testing.assert_close(model(ids, values), networks[:, 0])


VOCABULARIES = {  # of frappe_x1, as BARS's log has them: with a row for padding and one for unseen tokens
    "user": 956,
    "item": 4084,
    "daytime": 9,
    "weekday": 9,
    "isweekend": 4,
    "homework": 5,
    "cost": 4,
    "weather": 11,
    "country": 82,
    "city": 235,
}
BARS = {
    "embedding_dim": 10,
    "first_context": ["user"],
    "second_context": ["item"],
    "gate_hidden_dims": [400],
    "first_hidden_dims": [400],
    "second_hidden_dims": [100],
    "first_batch_norm": True,
    "second_batch_norm": True,
    "num_heads": 5,
}


@pytest.mark.usefixtures("_no_memory")
def test_it_has_the_parameters_that_bars_prints_for_frappe():
    schema = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, size) for name, size in VOCABULARIES.items()))
    assert count(make("finalmlp", schema, **BARS)) == 253_392


def test_a_context_that_is_no_field_is_named():
    with pytest.raises(UserError, match=r"no field 'usr' among .*; did you mean 'user'"):
        make("finalmlp", mixed_schema(), **(SMALL | {"first_context": ["usr"]}))


VARIANTS = {
    "with contexts": CONTEXTS | {"gate_hidden_dims": [40], "first_hidden_dims": [40], "num_heads": 4},
    "without feature selection": {"feature_selection": False, "first_hidden_dims": [40]},
}
