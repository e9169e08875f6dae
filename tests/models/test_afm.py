"""the softmax over pairs, written out; FM over the number of pairs at h = 0, p = 1; the authors' and BARS's counts;
logits of pytorch-fm, FuxiCTR and DeepCTR-Torch"""

import itertools

import pytest
import torch
from torch import nn

from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of, trained_fm, warm_started

VARIANTS = {"of FuxiCTR": {"attention_dropout": 0.1, "pooling_dropout": 0.1}, "without w_0": {"bias": False}}


def test_afm_is_the_attended_double_sum_over_the_slots_in_use():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    assert (values[:, 1:4] == 0).any()
    assert (values != 0).all(1).any()
    afm = make("afm", schema)
    for parameter in afm.parameters():
        nn.init.normal_(parameter)
    v, hidden, h = afm.embedding.table.weight, afm.attention.hidden, afm.attention.score.weight[0]
    for row, x, logit, first in zip(ids, values, afm(ids, values), afm.linear(ids, values), strict=True):
        used = [slot for slot in range(6) if x[slot] != 0]
        z = [x[i] * v[row[i]] * x[j] * v[row[j]] for i, j in itertools.combinations(used, 2)]
        powers = [torch.exp(torch.dot(h, torch.relu(hidden.weight @ pair + hidden.bias))) for pair in z]
        pooled = sum(power / sum(powers) * pair for power, pair in zip(powers, z, strict=True))
        torch.testing.assert_close(logit, first + torch.dot(afm.head.weight[0], pooled))


def test_afm_without_attention_is_fm_with_the_mean_over_pairs():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fm = trained_fm(schema)
    afm = warm_started(make("afm", schema), fm)
    nn.init.zeros_(afm.attention.score.weight)
    nn.init.ones_(afm.head.weight)
    used = (values != 0).sum(1)
    first = fm.linear(ids, values)
    torch.testing.assert_close(afm(ids, values), first + (fm(ids, values) - first) / (used * (used - 1) / 2))


def test_a_row_of_less_than_two_features_is_its_first_order():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    afm = warm_started(make("afm", schema), trained_fm(schema))
    alone = torch.where(torch.arange(6) == 0, values, 0.0)
    assert torch.equal(afm(ids, alone), afm.linear(ids, alone))
    assert torch.equal(afm(ids, 0 * alone), afm.linear(ids, 0 * alone))


@pytest.mark.parametrize("dropped", ["attention_dropout", "pooling_dropout"])
def test_each_dropout_thins_the_pairs_and_leaves_the_first_order_alone(dropped):
    schema = mixed_schema()
    rows, afm = rows_of(schema), warm_started(make("afm", schema, **{dropped: 0.5}), trained_fm(schema))
    assert not torch.equal(afm(*rows), afm(*rows))
    nn.init.zeros_(afm.head.weight)
    assert torch.equal(afm(*rows), afm.linear(*rows))


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "dim", "attention_dim", "expected"),
    [(5382, 256, 256, 1449479), (90445, 256, 16, 23248750), (5389, 10, 128, 60826)],
)
def test_afm_has_the_parameters_of_its_authors_and_of_bars(num_features, dim, attention_dim, expected):
    """Frappe and MovieLens in the authors' code, Frappe_x1 in BARS's log."""
    schema = categorical(num_features, 10)
    assert count(make("afm", schema, embedding_dim=dim, attention_dim=attention_dim)) == expected
