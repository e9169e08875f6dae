"""the brute-force sums of pairs, triples and more; order 2 equals FM; parameter counts of the NFM paper and of BARS;
logits of FuxiCTR"""

import itertools

import pytest
import torch
from torch import nn

from ctr.errors import UserError
from tests.conftest import mixed_schema
from tests.models.shared import (
    FIELDS,
    IDS,
    SPARSE,
    VALUES,
    categorical,
    close,
    count,
    make,
    rows_of,
    trained_fm,
    warm_started,
    with_fixture_weights,
)

VARIANTS = {"of order 2": {"order": 2}, "without w_0": {"bias": False}}


@pytest.mark.parametrize("order", [2, 3, 4, 6])
def test_hofm_is_the_sum_over_all_sets_of_slots_up_to_its_order(order):
    schema = mixed_schema()
    ids, values = rows_of(schema)
    hofm = make("hofm", schema, order=order)
    for parameter in hofm.linear.parameters():
        nn.init.normal_(parameter)
    tables = [hofm.embedding.table.weight]
    if order > 2:
        tables += hofm.higher_embedding.table.weight.split(4, dim=1)
    assert len(tables) == order - 1
    for row, x, logit, expected in zip(ids, values, hofm(ids, values), hofm.linear(ids, values), strict=True):
        for m, v in enumerate(tables, start=2):
            for slots in itertools.combinations(range(schema.num_slots), m):
                expected = expected + (x[list(slots)].unsqueeze(1) * v[row[list(slots)]]).prod(0).sum()
        torch.testing.assert_close(logit, expected)


def test_hofm_of_order_2_is_fm():
    schema = mixed_schema()
    fm = trained_fm(schema)
    hofm = warm_started(make("hofm", schema, order=2), fm)
    torch.testing.assert_close(hofm(*rows_of(schema)), fm(*rows_of(schema)))


def test_hofm_with_the_fixtures_pairs_and_triples_by_hand():
    """FM's values .44, -.32, -.06 (O5), and the triples of V with itself: x_0 x_2 x_4 (v_0 v_2 v_4) and so on."""
    hofm = with_fixture_weights(make("hofm", SPARSE, embedding_dim=2))
    with torch.no_grad():
        hofm.higher_embedding.table.weight.copy_(hofm.embedding.table.weight)
    r1 = 0.5 * (0.1 * 0.5 * -0.4 + 0.2 * -0.1 * 0.1)
    r2 = -0.3 * 0.2 * 0.05 + 0.4 * 0.3 * -0.25
    r3 = 2 * (0.1 * 0.2 * -0.4 + 0.2 * 0.3 * 0.1) + (0.1 * 0.2 * 0.05 + 0.2 * 0.3 * -0.25)
    r3 += 2 * (0.1 * -0.4 * 0.05 + 0.2 * 0.1 * -0.25) + 2 * (0.2 * -0.4 * 0.05 + 0.3 * 0.1 * -0.25)
    close(hofm(IDS, VALUES), [0.44 + r1, -0.32 + r2, -0.06 + r3])


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize(
    ("num_features", "dim", "expected"),
    [(5382, 64, 694279), (5382, 128, 1383175), (5382, 256, 2760967), (90445, 256, 46398286), (5389, 10, 113170)],
)
def test_hofm_of_order_3_has_the_parameters_of_the_nfm_paper_and_of_bars(num_features, dim, expected):
    """n (1 + 2 k) + 1: Frappe and MovieLens in the paper, Frappe_x1 in BARS's log."""
    assert count(make("hofm", categorical(num_features, 10), embedding_dim=dim)) == expected


@pytest.mark.parametrize("order", [1, 4])
def test_an_order_that_no_example_can_have_is_refused(order):
    with pytest.raises(UserError, match=f"from 2 to 3, the slots of an example; found {order}"):
        make("hofm", FIELDS, order=order)
