"""Terms of pairs: the double loops of their definitions, and with the first order all of an additive model's logit."""

import itertools

import pytest
import torch

from ctr.app.explain.strength import by_field, strength
from ctr.app.explain.terms import first_terms, has_terms, is_additive, pair_terms
from tests.app.explain.subjects import as_run, mixed_data, scattered, whole
from tests.conftest import mixed_schema, random_batch

ADDITIVE = [
    ("fm", {}),
    ("hofm", {"order": 2}),
    *(("fwfm", {"first_order": order}) for order in ("LW", "FeLV", "FiLV")),
    ("fmfm", {"weights": "vector"}),
    ("fmfm", {"weights": "matrix"}),
    ("ffm", {}),
    ("ffm", {"normalize": True, "linear": False}),
    ("afm", {}),
    ("poly2", {"num_buckets": 50}),
]
IN_PART = [
    ("deepfm", {}),
    ("deepfm", {"fm_output": "vector"}),
    ("deepfm", {"weigh_logits": True, "deep_fields": ["user", "genres", "item"]}),
    ("fm_dnn", {"weigh_logits": True}),
    ("hofm", {"order": 3}),
]


def rows_of(schema, seed=3):
    batch = random_batch(schema, 20, seed)
    return batch.ids, batch.values.double()


@pytest.mark.parametrize(("name", "changes"), ADDITIVE)
@pytest.mark.parametrize("single", [False, True])
def test_with_the_first_order_they_are_the_logit(name, changes, single):
    schema = mixed_schema()
    if single:  # fields of one slot, where a field-aware model has a vector less
        schema = type(schema)(tuple(field for field in schema.fields if field.num_slots == 1))
    model, (ids, values) = scattered(name, schema, **changes), rows_of(schema)
    assert is_additive(model)
    terms = pair_terms(model, schema, ids, values)
    w_0, first = first_terms(model, schema, ids, values)
    total = w_0 + first.sum(dim=1) + terms.sum(dim=(1, 2))
    torch.testing.assert_close(total, model(ids, values), rtol=0, atol=1e-9)
    assert terms.tril().abs().max() == 0


@pytest.mark.parametrize(("name", "changes"), IN_PART)
def test_they_are_what_the_logit_loses_without_the_fm_part(name, changes, monkeypatch):
    schema = mixed_schema()
    model, (ids, values) = scattered(name, schema, **changes), rows_of(schema)
    assert has_terms(model)
    assert not is_additive(model)
    before, terms = model(ids, values), pair_terms(model, schema, ids, values)
    silent = next(module for module in model.children() if "Interaction" in type(module).__name__)
    monkeypatch.setattr(silent, "forward", lambda xv: xv.sum(dim=1) * 0 if name == "deepfm" else xv.sum(dim=(1, 2)) * 0)
    torch.testing.assert_close(before - model(ids, values), terms.sum(dim=(1, 2)), rtol=0, atol=1e-9)


def test_an_fms_terms_are_products_of_its_vectors():
    schema = mixed_schema()
    model, (ids, values) = scattered("fm", schema), rows_of(schema)
    terms, v = pair_terms(model, schema, ids, values), model.embedding.table.weight
    for row, (i, j) in itertools.product(range(20), itertools.combinations(range(schema.num_slots), 2)):
        expected = v[ids[row, i]] @ v[ids[row, j]] * values[row, i] * values[row, j]
        torch.testing.assert_close(terms[row, i, j], expected)


def test_the_strength_of_a_pair_of_fields_is_the_double_loop_over_rows_and_slots():
    data = mixed_data()
    schema, batch = data.schema, data.rows("valid")
    model = scattered("fm", schema)
    v, field = model.embedding.table.weight.detach(), schema.slot_fields
    sums = torch.zeros(len(batch), schema.num_fields, schema.num_fields, dtype=torch.double)
    for row in range(len(batch)):
        for i, j in itertools.combinations(range(schema.num_slots), 2):
            x = float(batch.values[row, i]) * float(batch.values[row, j])
            sums[row, field[i], field[j]] += v[batch.ids[row, i]] @ v[batch.ids[row, j]] * x
    size, spread = strength(as_run(model, data), whole(data))
    for f, g in itertools.combinations_with_replacement(range(schema.num_fields), 2):
        if f == g and schema.fields[f].num_slots == 1:
            assert size[f, g] != size[f, g]  # one slot meets nobody in its field
            continue
        assert size[f, g] == pytest.approx(float(sums[:, f, g].abs().mean()), rel=1e-9)
        assert spread[f, g] == pytest.approx(float(sums[:, f, g].std(correction=0)), rel=1e-6)
    terms = pair_terms(model, schema, batch.ids, batch.values)
    torch.testing.assert_close(by_field(terms, schema).sum(dim=(1, 2)), terms.sum(dim=(1, 2)))


def test_strength_does_not_depend_on_how_many_rows_are_in_memory(monkeypatch):
    data = mixed_data()
    run = as_run(scattered("fmfm", data.schema), data)
    at_once = strength(run, whole(data))
    monkeypatch.setattr("ctr.app.explain.strength.NUMBERS", 500)
    for a, b in zip(at_once, strength(run, whole(data)), strict=True):
        torch.testing.assert_close(torch.from_numpy(a), torch.from_numpy(b), equal_nan=True)
