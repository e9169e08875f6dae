"""The synthetic log obeys the law that it says it was drawn from."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import Tensor

from ctr.data import Synthetic
from ctr.data.module import Data
from ctr.data.synthetic import elementary_symmetric
from ctr.errors import UserError
from ctr.metrics.ranking import auc
from tests.metrics.test_ranking import predictions

SPLITS = ("train", "valid", "test")


def draw(**changes) -> Data:
    settings = {
        "num_train": 4000, "num_valid": 500, "num_test": 500, "num_fields": 4, "vocabulary": 20, "zipf": 1.1,
        "effects": [0.8, 1.2, 0.6], "rank": 2, "rate": 0.25, "seed": 1,
    }  # fmt: skip
    return Synthetic(**settings | changes).open()


def law(data: Data) -> Tensor:
    return torch.cat([data.law[split] for split in SPLITS])


def whole(data: Data, part: str) -> Tensor:
    return torch.cat([getattr(data.rows(split), part) for split in SPLITS])


@given(st.lists(st.lists(st.floats(-3, 3), min_size=5, max_size=5), min_size=1, max_size=4), st.integers(1, 3))
def test_elementary_symmetric_is_the_sum_over_all_sets_of_columns(rows, order):
    x = np.array(rows)
    expected = [sum(math.prod(chosen) for chosen in itertools.combinations(row, order)) for row in rows]
    assert elementary_symmetric(x, order) == pytest.approx(expected, abs=1e-10)


def test_the_log_repeats_from_its_seed_and_differs_with_another():
    one, again, other = draw(seed=1), draw(seed=1), draw(seed=2)
    assert one.schema == again.schema
    for part in ("ids", "labels", "groups"):
        assert torch.equal(whole(one, part), whole(again, part))
        assert not torch.equal(whole(one, part), whole(other, part))
    assert torch.equal(law(one), law(again))


def test_the_splits_have_the_sizes_that_were_asked_for():
    data = draw(num_train=300, num_valid=20, num_test=10)
    assert [len(data.splits[split]) for split in SPLITS] == [300, 20, 10]
    assert [len(data.law[split]) for split in SPLITS] == [300, 20, 10]
    assert (data.schema.num_fields, data.schema.num_slots) == (4, 4)


def test_the_first_field_is_the_group():
    data = draw()
    pairs = torch.stack([whole(data, "ids")[:, 0], whole(data, "groups")], 1).unique(dim=0)
    known = pairs[pairs[:, 0] != 0]  # a token that only valid or test has is OOV
    assert len(known) == known[:, 0].unique().numel() == known[:, 1].unique().numel()


def test_tokens_follow_the_law_of_zipf():
    data = draw(num_train=60_000, num_fields=2, vocabulary=30, zipf=1.3, effects=[1.0])
    chances = np.arange(1, 31) ** -1.3
    for f in range(2):
        tokens = data.rows("train").ids[:, f] - data.schema.offsets[f] - 1  # all tokens are in train
        counts = np.bincount(tokens, minlength=30)
        assert chisquare(counts, 60_000 * chances / chances.sum()).pvalue > 1e-3


def test_tokens_of_two_fields_are_independent():
    ids = draw(num_train=50_000, num_fields=2, effects=[1.0]).rows("train").ids.double()
    assert abs(torch.corrcoef(ids.T)[0, 1].item()) < 4 / 50_000**0.5


def test_labels_are_drawn_from_the_sigmoid_of_the_law():
    data = draw(num_train=100_000)
    labels, chances = whole(data, "labels").double(), law(data).sigmoid()
    for part in chances.argsort().chunk(10):
        error = (chances[part] * (1 - chances[part])).sum().sqrt().item() / len(part)
        assert abs(labels[part].mean() - chances[part].mean()).item() < 4 * error
    assert set(labels.unique().tolist()) == {0.0, 1.0}


def test_the_mean_logit_is_that_of_the_rate():
    assert law(draw(rate=0.1)).mean().item() == pytest.approx(math.log(0.1 / 0.9))


@pytest.mark.parametrize("effects", [[0.7], [0, 1.3], [0, 0, 0.4]])
def test_a_single_effect_has_the_standard_deviation_that_was_asked_for(effects):
    assert law(draw(effects=effects)).std(correction=0).item() == pytest.approx(effects[-1])


def test_effects_are_added_one_order_at_a_time():
    one, two, three = (law(draw(effects=[0.8, 1.2, 0.6][:orders])) for orders in (1, 2, 3))
    assert one.std(correction=0).item() == pytest.approx(0.8)
    assert (two - one).std(correction=0).item() == pytest.approx(1.2)
    assert (three - two).std(correction=0).item() == pytest.approx(0.6)


@pytest.mark.parametrize("effects", [[1.0], [1.0, 1.0], [1.0, 1.0, 1.0]])
def test_there_are_no_interactions_above_the_orders_that_effects_lists(effects):
    """Three fields of two tokens: the law is a function of eight cells, its interactions are signed sums of them."""
    data = draw(num_fields=3, vocabulary=2, effects=effects)
    cells = (whole(data, "ids") - torch.tensor(data.schema.offsets) - 1).tolist()
    logit = dict(zip(map(tuple, cells), law(data).tolist(), strict=True))
    corners = list(itertools.product([0, 1], repeat=3))

    def interaction(*fields: int) -> float:
        return sum(math.prod((-1) ** corner[f] for f in fields) * logit[corner] for corner in corners)

    found = [
        max(abs(interaction(*fields)) for fields in itertools.combinations(range(3), order)) for order in (1, 2, 3)
    ]
    assert all(strength > 1e-3 for strength in found[: len(effects)])
    assert all(strength < 1e-9 for strength in found[len(effects) :])


def test_every_row_of_equal_tokens_has_one_logit_in_all_splits():
    data = draw(num_fields=3, vocabulary=3)
    tokens, logits = whole(data, "ids"), law(data)
    cell = tokens.unique(dim=0, return_inverse=True)[1]
    for number in cell.unique():
        assert logits[cell == number].unique().numel() == 1


def test_the_law_ranks_better_than_any_shuffling_of_it():
    data = draw(num_train=10_000)
    labels, logits = whole(data, "labels"), law(data)
    shuffled = logits[torch.randperm(len(logits), generator=torch.Generator().manual_seed(0))]
    assert auc(predictions(labels, logits)) > 0.7
    assert abs(auc(predictions(labels, shuffled)) - 0.5) < 0.03


def test_exactly_the_tokens_that_train_has_not_are_oov():
    data = draw(num_train=30, num_valid=2000, vocabulary=100)
    train, valid = data.rows("train"), data.rows("valid")
    assert (train.ids != torch.tensor(data.schema.offsets)).all()
    assert torch.equal(valid.ids[:, 0] == 0, ~torch.isin(valid.groups, train.groups))  # groups are the first tokens


REFUSED = {
    "no effects": ({"effects": []}, "effects"),
    "a fourth order": ({"effects": [1, 1, 1, 1]}, "effects"),
    "more orders than fields": ({"effects": [1, 1, 1], "num_fields": 2}, "effects"),
    "one token": ({"vocabulary": 1}, "vocabulary"),
    "rate 0": ({"rate": 0.0}, "rate must lie between 0 and 1, found 0.0"),
    "rate 1": ({"rate": 1.0}, "rate must lie between 0 and 1, found 1.0"),
    "no train rows": ({"num_train": 0}, "num_train"),
    "no valid rows": ({"num_valid": 0}, "num_valid"),
    "no test rows": ({"num_test": 0}, "num_test"),
    "no fields": ({"num_fields": 0}, "fields"),
    "no tokens": ({"vocabulary": 0}, "vocabulary"),
    "no rank": ({"rank": 0}, "rank"),
    "a negative seed": ({"seed": -1}, "seed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_law_that_cannot_be_drawn_is_refused(case):
    changes, told = REFUSED[case]
    with pytest.raises(UserError, match=told):
        draw(**changes)
