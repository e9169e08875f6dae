"""One row: its parts carry real names and sum to the logit; neighbours are those of a loop over all rows."""

import numpy as np
import pytest
import torch

from ctr.app.explain.neighbours import nearest
from ctr.app.explain.row import contributions
from ctr.data.names import Names
from ctr.errors import UserError
from tests.app.explain.subjects import Known, as_run, mixed_data, scattered, tokens_data, whole

ADDITIVE = ["lr", "fm", "ffm", "fwfm", "fmfm"]  # the other switches of these are in test_terms


def explained(model, data, row, **trainer):
    run, sample = as_run(model, data, **trainer), whole(data)
    return contributions(run, sample, sample.take(np.array([row])), Names(data))


@pytest.mark.parametrize("name", ADDITIVE)
@pytest.mark.parametrize("row", [0, 7, 13])
def test_the_parts_sum_to_the_logit(name, row):
    data = mixed_data()
    model, batch = scattered(name, data.schema), data.rows("valid")
    told = explained(model, data, row)
    assert told.exact
    logit = float(model(batch.ids[row : row + 1], batch.values[row : row + 1].double()).detach())
    assert sum(part.amount for part in told.parts) == pytest.approx(logit, abs=1e-9)
    assert told.logit == pytest.approx(logit, abs=1e-5)
    assert told.label == float(batch.labels[row])


def test_a_correction_for_dropped_negatives_is_a_part():
    data = mixed_data()
    data.negatives_kept = 0.1
    told = explained(scattered("fm", data.schema), data, 3)
    assert sum(part.amount for part in told.parts) == pytest.approx(told.logit, abs=1e-5)
    assert told.parts[-1].amount == pytest.approx(np.log(0.1))


def test_terms_carry_the_names_and_values_of_the_row():
    data = mixed_data()
    model, batch = scattered("fm", data.schema), data.rows("valid")
    told = explained(model, data, 4)
    used = [s for s in range(data.schema.num_slots) if batch.values[4, s] != 0]
    names = Names(data)
    called = [
        f"{data.schema.fields[data.schema.slot_fields[s]].name}={names.token(int(batch.ids[4, s]))}" for s in used
    ]
    assert [part.name for part in told.parts[: 1 + len(used)]] == ["w_0", *called]
    w = model.linear.weight.table.weight.detach()
    for part, s in zip(told.parts[1:], used, strict=False):
        assert part.amount == pytest.approx(float(w[batch.ids[4, s], 0] * batch.values[4, s]), abs=1e-9)
        assert float(part.value) == pytest.approx(float(batch.values[4, s]), rel=1e-4)
    assert len(told.parts) == 1 + len(used) + len(used) * (len(used) - 1) // 2
    assert told.parts[1 + len(used)].name == f"{called[0]} & {called[1]}"


def test_other_models_are_told_by_occlusion_and_say_so():
    def law(x):
        return 2.0 * x[0] + x[1] * x[2]

    data, tokens = tokens_data(150, 4, 5, law)
    told = explained(Known(data.schema, law), data, 9)
    assert not told.exact
    x, mean = tokens[9], tokens.mean(axis=0)
    expected = [2.0 * (x[0] - mean[0]), (x[1] - mean[1]) * x[2], x[1] * (x[2] - mean[2]), 0.0]
    assert [part.amount for part in told.parts] == pytest.approx(expected)
    assert [part.name.split("=")[0] for part in told.parts] == ["f0", "f1", "f2", "f3"]


def test_neighbours_are_those_of_a_loop_over_the_table():
    data = mixed_data()
    model, names = scattered("fm", data.schema), Names(data)
    told = nearest(model, names, "user=id 2", 4)
    table, mine = model.embedding.table.weight.detach(), names.find("user=id 2")
    cosine = {
        i: float(table[i] @ table[mine] / table[i].norm() / table[mine].norm())
        for i in range(len(table))
        if i != mine and names.counts[i]
    }
    ranked = sorted(cosine, key=lambda i: -cosine[i])
    for found, ids in ((told.same_field, range(7)), (told.other_fields, range(7, 21))):
        expected = [i for i in ranked if i in ids][:4]
        assert [one.feature.id for one in found] == expected
        assert [one.cosine for one in found] == pytest.approx([cosine[i] for i in expected])
    assert told.same_field[0].feature.field == "user"
    assert told.same_field[0].feature.count == int((data.rows("train").ids == told.same_field[0].feature.id).sum())


def test_a_feature_that_train_has_not_is_nobodys_neighbour_and_has_none():
    data, _ = tokens_data(50, 2, 4, lambda x: x[0])
    ids = data.splits["train"].ids
    ids[ids == 2] = 1
    model = scattered("fm", data.schema)
    with pytest.raises(UserError, match="f0=id 2 stands in no row of train"):
        nearest(model, Names(data), "f0=id 2", 3)
    told = nearest(model, Names(data), "f0=id 1", 10)
    assert {one.feature.id for one in told.same_field} == {0, 3}


def test_a_model_without_vectors_is_refused_by_name():
    data = mixed_data()
    with pytest.raises(UserError, match="LR has no table of vectors"):
        nearest(scattered("lr", data.schema), Names(data), "user=id 2", 3)


def test_vectors_of_zeros_are_near_nothing_but_do_not_fail():
    data = mixed_data()
    model = scattered("fm", data.schema)
    with torch.no_grad():
        model.embedding.table.weight[2] = 0.0
    assert all(one.cosine == 0 for one in nearest(model, Names(data), "2", 3).same_field)
