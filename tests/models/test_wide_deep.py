"""logits by plain loops, crosses included; equals DeepFM without pairs; the NFM paper's and BARS's parameter counts;
logits of pytorch-fm, FuxiCTR and DeepCTR-Torch"""

import itertools

import pytest
import torch
from torch import nn

from ctr.blocks.crosses import pair_buckets
from ctr.errors import UserError
from ctr.models import WideDeep
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, count_batch_norm, make, rows_of

BARS = {"embedding_dim": 10, "hidden_dims": [400, 400, 400], "batch_norm": True}
READ_WITH = {"num_buckets": {"crosses": [["user", "item"]]}}
SLOTS = {"user": [0], "genres": [1, 2, 3], "price": [4], "item": [5]}


def with_random_weights(model):
    """Wide weights start at 0, which would hide any mistake."""
    nn.init.normal_(model.linear.weight.table.weight)
    for part in (model.linear.bias, None if model.crosses is None else model.crosses.table.weight):
        if isinstance(part, nn.Parameter):
            nn.init.normal_(part)
    return model


@pytest.mark.parametrize("crosses", [[], [["item", "user"]], [["genres", "user"], ["price", "item"]], None])
def test_it_is_the_sum_of_weights_of_features_and_crosses_and_of_the_network(crosses):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = with_random_weights(make("wide_deep", schema, crosses=crosses, num_buckets=50))
    met = list(itertools.combinations(range(6), 2)) if crosses is None else []
    for one, other in crosses or []:
        met += itertools.product(SLOTS[one], SLOTS[other])
    w, v = model.linear.weight.table.weight[:, 0], model.embedding.table.weight
    for row, x, logit in zip(ids.tolist(), values, model(ids, values), strict=True):
        wide = model.linear.bias[0] + sum(w[i] * x[s] for s, i in enumerate(row))
        for s, t in met:
            bucket = pair_buckets(torch.tensor(row[s]), torch.tensor(row[t]), 50)
            wide = wide + model.crosses.table.weight[bucket, 0] * x[s] * x[t]
        xv = [x[s] * v[i] for s, i in enumerate(row)]
        a = model.mlp(torch.cat([xv[0], xv[1] + xv[2] + xv[3], xv[4], xv[5]]).unsqueeze(0))
        torch.testing.assert_close(logit, wide + (a @ model.head.weight[0])[0])


def test_crosses_make_pairs_of_features_count_that_no_sum_of_weights_can():
    """A user and an item each alone add nothing, together they do."""
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = make("wide_deep", schema, crosses=[["user", "item"]], num_buckets=1000)
    nn.init.zeros_(model.head.weight)
    assert not model(ids, values).any()
    bucket = pair_buckets(ids[0, 0], ids[0, 5], 1000)
    with torch.no_grad():
        model.crosses.table.weight[bucket] = 1.0
    same = (ids[:, [0, 5]] == ids[0, [0, 5]]).all(1)
    assert torch.equal(model(ids, values), same.double())


@pytest.mark.parametrize("bias", [False, True])
def test_o3_with_a_silent_network_and_no_crosses_it_is_a_linear_model(bias):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    model = with_random_weights(make("wide_deep", schema, bias=bias))
    nn.init.zeros_(model.head.weight)
    torch.testing.assert_close(model(ids, values), model.linear(ids, values))


def test_lr_and_dnn_is_deepfm_less_the_pairs():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    deepfm, model = make("deepfm", schema), make("lr_dnn", schema)
    nn.init.normal_(deepfm.linear.weight.table.weight)
    model.load_state_dict(deepfm.state_dict())
    pairs = deepfm.bi_interaction(deepfm.embedding(ids, values)).sum(1)
    torch.testing.assert_close(model(ids, values), deepfm(ids, values) - pairs)


def test_each_part_may_be_given_its_own_fields():
    schema = mixed_schema()
    ids, values = rows_of(schema)
    fields = {"linear_fields": ["genres", "item"], "deep_fields": ["user", "price"], "weigh_logits": True}
    model = with_random_weights(make("wide_deep", schema, **fields))
    nn.init.normal_(model.sum.weights)
    wide = model.linear.bias + model.linear.weight(ids, values)[:, [1, 2, 3, 5]].sum((1, 2))
    xv = model.embedding(ids, values)
    deep = model.head(model.mlp(torch.cat([xv[:, 0], xv[:, 4]], 1))).squeeze(1)
    one, two = model.sum.weights
    torch.testing.assert_close(model(ids, values), one * wide + two * deep)


def test_a_cross_with_a_field_that_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"no field 'usr'.*did you mean 'user'"):
        make("wide_deep", mixed_schema(), crosses=[["usr", "item"]])


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "dim", "expected"),
    [
        (5382, 64, 1662599),
        (5382, 128, 2662407),
        (5382, 256, 4662023),
        (90445, 64, 6732942),
        (90445, 128, 12718030),
        (90445, 256, 24688206),
    ],
)
def test_it_has_the_parameters_of_the_nfm_papers_tables(num_features, dim, expected):
    """Frappe has 10 fields, MovieLens 3. With w_0 and without a bias after the network."""
    schema = categorical(num_features, 10 if num_features == 5382 else 3)
    model = make("wide_deep", schema, embedding_dim=dim, hidden_dims=[1024, 512, 256], batch_norm=True)
    assert count(model) - count_batch_norm(model) == expected


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(("num_features", "num_fields", "expected"), [(5389, 10, 423280), (90239, 3, 1328630)])
def test_bars_logs_these_numbers_of_parameters(num_features, num_fields, expected):
    """Frappe_x1 and MovielensLatest_x1; batch norm counts, and there is no w_0."""
    schema = categorical(num_features, num_fields)
    for model in (make("lr_dnn", schema, **BARS), make("wide_deep", schema, bias=False, head_bias=True, **BARS)):
        assert isinstance(model, WideDeep)
        assert count(model) == expected


VARIANTS = {
    "with a cross": {"crosses": [["user", "item"]], "batch_norm": False},
    "with all crosses and weights": {"crosses": None, "num_buckets": 1000, "weigh_logits": True},
}
