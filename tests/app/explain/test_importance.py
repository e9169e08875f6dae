"""Fields and pairs by shuffling: planted laws come out in their order, and what is not used is exactly 0."""

import numpy as np
import pytest
import torch

from ctr.app.explain.ablation import ablation
from ctr.app.explain.dependence import told_by_others
from ctr.app.explain.importance import importance
from ctr.app.explain.measured import Measured
from ctr.app.explain.sample import Sample, metric, order_of, predict
from ctr.errors import UserError
from ctr.metrics import METRICS, score
from ctr.training.objective import SquaredError
from tests.app.explain.subjects import Known, as_run, mixed_data, scattered, tokens_data, whole

REGRESSION = {
    "objective": SquaredError(reduction="mean", plus_minus_one=False, clip=False),
    "metrics": ["rmse"],
    "monitor": "rmse",
}


def test_a_planted_order_of_effects_comes_out_and_a_field_without_one_has_exactly_0():
    def law(x):
        return 3.0 * x[1] + 1.0 * x[2]

    data, tokens = tokens_data(3000, 3, 5, law)
    worse = importance(as_run(Known(data.schema, law), data, **REGRESSION), whole(data), 3, seed=1)
    assert (worse[0] == 0).all()
    # y = 3 a + b is predicted exactly; with one of them from another row the error has twice its variance
    variance = tokens.var(axis=0)
    expected = [0.0, *(weight * np.sqrt(2 * variance[f]) for weight, f in ((3, 1), (1, 2)))]
    np.testing.assert_allclose(worse.mean(axis=1), expected, rtol=0.03)


def test_auc_drops_to_one_half_without_the_only_field_that_tells():
    def law(x):
        return (x[0] > 1).double()

    data, _ = tokens_data(2000, 2, 4, law)
    worse = importance(as_run(Known(data.schema, law), data), whole(data), 2, seed=1)
    np.testing.assert_allclose(worse.mean(axis=1), [0.5, 0.0], atol=0.03)
    loss = importance(as_run(Known(data.schema, law), data, monitor="log_loss"), whole(data), 2, seed=1)
    assert loss[0].min() > 0  # a loss gets worse by rising


def test_a_shuffled_field_moves_as_a_whole_and_alone():
    data = mixed_data()
    sample, schema = whole(data), data.schema
    order = order_of(1, 1, 0, len(sample))
    before, after = sample.rows.batch(slice(None)), sample.shuffled({1: order}).rows.batch(slice(None))
    genres = list(schema.slots(["genres"]))
    others = [slot for slot in range(schema.num_slots) if slot not in genres]
    assert torch.equal(after.ids[:, genres], before.ids[torch.from_numpy(order)][:, genres])
    assert torch.equal(after.values[:, genres], before.values[torch.from_numpy(order)][:, genres])
    assert torch.equal(after.ids[:, others], before.ids[:, others])
    assert torch.equal(after.values[:, others], before.values[:, others])
    assert torch.equal(after.labels, before.labels)


def test_stored_rows_without_constant_slots_are_shuffled_as_written_out_ones(tmp_path):
    from tests.data.small import open_rows, rows

    data = open_rows(tmp_path, rows(60))
    sample = Sample.draw(data, "train", 10**6, 1)
    assert len(sample.rows.layout.id_slots) < data.schema.num_slots
    order = order_of(1, 0, 0, len(sample))
    before = sample.rows.batch(slice(None))
    for f, field in enumerate(data.schema.fields):
        after = sample.shuffled({f: order}).rows.batch(slice(None))
        slots = list(data.schema.slots([field.name]))
        for name in ("ids", "values"):
            expected = getattr(before, name).clone()
            expected[:, slots] = expected[torch.from_numpy(order)][:, slots]
            assert torch.equal(getattr(after, name), expected)


def test_a_sample_is_drawn_by_its_seed_without_repetition(monkeypatch):
    data, _ = tokens_data(500, 2, 400, lambda x: x[0])
    monkeypatch.setattr("ctr.data.rows.SPAN", 64)
    one, again, other = (Sample.draw(data, "valid", 100, seed) for seed in (1, 1, 2))
    assert len(one) == 100
    assert one.told == "100 rows, drawn from 500 of valid"
    assert whole(data).told == "all 500 rows of valid"
    assert np.array_equal(one.rows.ids, again.rows.ids)
    assert not np.array_equal(one.rows.ids, other.rows.ids)
    everything = data.splits["valid"].ids.tolist()
    places = [everything.index(row) for row in one.rows.ids.tolist()]
    assert places == sorted(set(places))


def test_the_whole_split_scores_as_the_run_does():
    data = mixed_data()
    data.negatives_kept = 0.25
    run = as_run(scattered("fm", data.schema).float(), data, monitor="log_loss")
    expected = score(run.trainer.predict(run.model, data, "valid"), [METRICS["log_loss"]]).values["log_loss"]
    assert metric(run, whole(data)) == expected
    data.negatives_kept = 1.0
    assert metric(run, whole(data)) != expected


def test_a_metric_without_a_value_says_so():
    data = mixed_data(labels=torch.ones(60))
    with pytest.raises(UserError, match="auc of all 60 rows of valid is undefined: all 60 labels are 1"):
        metric(as_run(scattered("fm", data.schema), data), whole(data))


@pytest.mark.parametrize("name", ["lr", "fm", "nfm"])
def test_fields_of_an_additive_model_do_not_interact(name):
    data = mixed_data()
    model = scattered(name, data.schema).float()
    lacking = ablation(as_run(model, data), whole(data), 2, seed=1)
    pairs = np.triu_indices(data.schema.num_fields, 1)
    assert np.isnan(lacking[np.tril_indices(data.schema.num_fields)]).all()
    scale = float(predict(as_run(model, data), whole(data)).logits.abs().max())
    if name == "lr":
        assert lacking[pairs].max() < 1e-6 * scale
    else:
        assert lacking[pairs].min() > 1e-3 * scale


def test_ablation_is_the_double_difference_of_a_known_product():
    def law(x):
        return 2.0 * x[0] * x[2] + x[1] + x[0] + x[2]

    data, tokens = tokens_data(400, 3, 5, law)
    lacking = ablation(as_run(Known(data.schema, law), data), whole(data), 1, seed=4)[:, :, 0]
    moved = [tokens[order_of(4, f, 0, 400), f] - tokens[:, f] for f in (0, 2)]
    assert lacking[0, 2] == pytest.approx(np.abs(2.0 * moved[0] * moved[1]).mean())
    assert lacking[0, 1] == pytest.approx(0, abs=1e-12)


def test_intervals_are_over_seeds_where_there_are_several():
    random = np.random.default_rng(0)
    runs = random.normal(size=(3, 2, 5))
    several, single = Measured.of(runs), Measured.of(runs[:1])
    assert several.over == "3 seeds"
    np.testing.assert_allclose(several.mean, runs.mean(axis=(0, 2)))
    per_seed = runs.mean(axis=2)[:, 1]
    half = 4.302652729911275 * per_seed.std(ddof=1) / np.sqrt(3)  # Student's t of 2 degrees of freedom
    assert several.interval(1) == pytest.approx((per_seed.mean() - half, per_seed.mean() + half))
    assert single.over == "5 shuffles of one run, not over seeds"
    low, high = single.interval(0)
    assert low < runs[0, 0].mean() < high
    assert Measured.of(runs[:1, :, :1]).interval(0) is None


def test_fields_that_tell_of_others_are_named():
    data, tokens = tokens_data(4000, 4, 6, lambda x: x[0])
    ids = data.splits["valid"].ids
    ids[:, 1] = tokens[:, 0] // 2 + data.schema.offsets[1]  # a coarser field 0
    told = told_by_others(whole(data), seed=1)
    assert [(of, by) for of, by, _ in told] == [("f1", "f0"), ("f0", "f1")]
    assert told[0][2] == pytest.approx(1.0)
    assert told[1][2] == pytest.approx(np.log(3) / np.log(6), abs=0.02)


def test_an_identifier_is_not_said_to_tell_of_everything():
    data, tokens = tokens_data(600, 2, 600, lambda x: x[0])
    data.splits["valid"].ids[:, 1] = tokens[:, 1] % 2 + data.schema.offsets[1]
    assert told_by_others(whole(data), seed=1) == []
