"""the double sum over hashed pairs; equals FM where each pair's weight is <v_i, v_j>, and LR where all are 0"""

import itertools

import pytest
import torch
from torch import nn

from ctr.blocks.crosses import pair_buckets
from tests.conftest import mixed_schema
from tests.models.shared import make, rows_of, trained_fm

VARIANTS = {"without w_0": {"bias": False}}


def filled(num_buckets):
    poly2 = make("poly2", mixed_schema(), num_buckets=num_buckets)
    for parameter in poly2.parameters():
        nn.init.normal_(parameter)
    return poly2


def bucket(i, j, num_buckets):
    return pair_buckets(torch.tensor(i), torch.tensor(j), num_buckets).item()


@pytest.mark.parametrize("num_buckets", [3, 1000])
def test_poly2_is_lr_and_the_double_sum_of_hashed_weights(num_buckets):
    poly2, (ids, values) = filled(num_buckets), rows_of(mixed_schema())
    w = poly2.crosses.table.weight[:, 0]
    for row, x, logit, first in zip(ids.tolist(), values, poly2(ids, values), poly2.linear(ids, values), strict=True):
        for i, j in itertools.combinations(range(len(row)), 2):
            first = first + w[bucket(row[i], row[j], num_buckets)] * x[i] * x[j]
        torch.testing.assert_close(logit, first)


def test_poly2_is_fm_where_each_pair_weighs_the_product_of_its_vectors():
    schema = mixed_schema()
    poly2, fm, num_buckets = filled(100_000), trained_fm(schema), 100_000
    pairs = list(itertools.combinations_with_replacement(range(schema.num_features), 2))
    buckets = [bucket(i, j, num_buckets) for i, j in pairs]
    assert len(set(buckets)) == len(pairs) == 231  # no two pairs share a weight
    v = fm.embedding.table.weight
    with torch.no_grad():
        for (i, j), place in zip(pairs, buckets, strict=True):
            poly2.crosses.table.weight[place] = torch.dot(v[i], v[j])
    poly2.linear.load_state_dict(fm.linear.state_dict())
    torch.testing.assert_close(poly2(*rows_of(schema)), fm(*rows_of(schema)))


def test_poly2_starts_as_lr():
    poly2, rows = make("poly2", mixed_schema()), rows_of(mixed_schema())
    nn.init.normal_(poly2.linear.weight.table.weight)
    assert torch.equal(poly2(*rows), poly2.linear(*rows))
