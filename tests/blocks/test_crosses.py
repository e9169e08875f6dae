"""HashedPairs is the sum over pairs of slots of a hashed weight times both values."""

import itertools

import pytest
import torch

from ctr.blocks import HashedPairs
from ctr.blocks.crosses import pair_buckets
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import mixed_schema, random_batch

WHOLE = 1 << 64


def bucket(one: int, other: int, num_buckets: int) -> int:
    """The plain definition, in Python's integers."""
    bits = (min(one, other) << 32) + max(one, other) + 0x9E3779B97F4A7C15
    for shift, factor in [(30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)]:
        bits %= WHOLE
        bits = (bits ^ (bits >> shift)) * factor % WHOLE
    return (bits >> 1) % num_buckets


def filled(schema, num_buckets, pairs=None):
    """Weights start at 0, which would hide any mistake."""
    torch.manual_seed(0)
    crosses = HashedPairs(schema, num_buckets, pairs).double()
    torch.nn.init.normal_(crosses.table.weight)
    return crosses


def by_the_loop(crosses, ids, values, meet):
    """The sum over the slots i < j of which `meet(i, j)` is true."""
    w, totals = crosses.table.weight[:, 0], []
    for row, x in zip(ids.tolist(), values, strict=True):
        pairs = [(i, j) for i, j in itertools.combinations(range(len(row)), 2) if meet(i, j)]
        totals.append(sum(w[bucket(row[i], row[j], len(w))] * x[i] * x[j] for i, j in pairs))
    return torch.stack(totals)


def rows(schema):
    batch = random_batch(schema, 20)
    return batch.ids, batch.values.double()


@pytest.mark.parametrize("num_buckets", [1, 7, 1000])
def test_it_is_the_sum_over_all_pairs_of_slots(num_buckets):
    schema = mixed_schema()
    crosses, (ids, values) = filled(schema, num_buckets), rows(schema)
    torch.testing.assert_close(crosses(ids, values), by_the_loop(crosses, ids, values, lambda i, j: True))


def test_chosen_pairs_of_fields_are_the_only_ones_that_meet():
    """user x item, and genres with itself: slots 0 and 5, and 1 to 3."""
    schema = mixed_schema()
    crosses, (ids, values) = filled(schema, 1000, [["item", "user"], ["genres", "genres"]]), rows(schema)
    met = {(0, 5), (1, 2), (1, 3), (2, 3)}
    torch.testing.assert_close(crosses(ids, values), by_the_loop(crosses, ids, values, lambda i, j: (i, j) in met))


def test_the_gradient_of_a_weight_is_the_sum_of_its_pairs_products():
    schema = mixed_schema()
    crosses, (ids, values) = filled(schema, 50), rows(schema)
    crosses(ids, values).sum().backward()
    expected = torch.zeros(50, dtype=torch.double)
    for row, x in zip(ids.tolist(), values, strict=True):
        for i, j in itertools.combinations(range(6), 2):
            expected[bucket(row[i], row[j], 50)] += x[i] * x[j]
    torch.testing.assert_close(crosses.table.weight.grad[:, 0], expected)


@pytest.mark.parametrize(
    ("one", "other", "draw"),
    [(0, 0, 0xE220A8397B1DCDAF), (0, 1234567, 6457827717110365317), (1234567, 0, 6457827717110365317)],
)
def test_the_hash_is_splitmix64s_first_draw_from_the_seed_that_the_ids_make(one, other, draw):
    """As published with it: of seeds 0 and 1234567."""
    assert pair_buckets(torch.tensor(one), torch.tensor(other), 1 << 62).item() == (draw >> 1) % (1 << 62)


def test_the_hash_is_that_of_unsigned_numbers_for_ids_of_any_size():
    ids = torch.cat([torch.arange(40), torch.randint(1 << 32, (40,)), torch.tensor([(1 << 31) - 1, (1 << 32) - 1])])
    left, right = torch.cartesian_prod(ids, ids).T
    expected = [bucket(i, j, 1_000_003) for i, j in zip(left.tolist(), right.tolist(), strict=True)]
    assert pair_buckets(left, right, 1_000_003).tolist() == expected
    assert pair_buckets(right, left, 1_000_003).tolist() == expected


def test_int32_ids_have_the_same_buckets():
    left, right = torch.randint(1 << 31, (2, 100))
    assert torch.equal(pair_buckets(left.int(), right.int(), 999), pair_buckets(left, right, 999))


def test_neighbouring_ids_spread_over_all_buckets():
    """499,500 pairs into 1,000 buckets: the counts vary as those of fair draws do (chi squared, within 5 sigmas)."""
    left, right = torch.triu_indices(1000, 1000, offset=1)
    counts = torch.bincount(pair_buckets(left, right, 1000), minlength=1000).double()
    mean = len(left) / 1000
    assert abs(((counts - mean) ** 2 / mean).sum().item() - 999) < 5 * (2 * 999) ** 0.5


def test_a_slot_of_value_zero_changes_nothing_whatever_id_stands_there():
    schema = FeatureSchema((Field("tags", FieldKind.MULTIVALUED, 9, 3),))
    crosses, values = filled(schema, 40), torch.tensor([[1.0, 2.0, 0.0]], dtype=torch.double)
    logits = [crosses(torch.tensor([[3, 5, other]]), values) for other in range(9)]
    assert len({logit.item() for logit in logits}) == 1
    logits[0].sum().backward()
    assert crosses.table.weight.grad.count_nonzero() == 1


def test_all_weights_start_at_zero():
    assert not HashedPairs(mixed_schema(), 100).table.weight.any()


def test_it_says_that_it_looks_at_the_ids_themselves():
    assert HashedPairs.reads_ids


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        ([], "must name one or more pairs"),
        ([["user"]], "a pair is a list of two field names"),
        (["ab"], "a pair is a list of two field names"),
        ([["user", "itme"]], "did you mean 'item'"),
        ([["user", "user"]], "'user' has one slot"),
        ([["user", "item"], ["item", "user"]], "item and user is listed twice"),
    ],
)
def test_pairs_that_cannot_be_are_refused_in_words(pairs, said):
    with pytest.raises(UserError, match=said):
        HashedPairs(mixed_schema(), 10, pairs)


@pytest.mark.parametrize(("num_buckets", "said"), [(0, "at least 1, found 0"), (10**15, "12,000,000.0 GB .* fewer")])
def test_a_table_that_cannot_be_is_refused_before_it_is_made(num_buckets, said):
    with pytest.raises(UserError, match=said):
        HashedPairs(mixed_schema(), num_buckets)


def test_too_many_pairs_are_refused_with_the_way_out():
    schema = FeatureSchema((Field("user", FieldKind.CATEGORICAL, 2), Field("tags", FieldKind.MULTIVALUED, 9, 500)))
    for pairs in (None, [["tags", "tags"]]):
        with pytest.raises(UserError, match=r"12\d,\d50 pairs an example take at least 6.* choose pairs of fields"):
            HashedPairs(schema, 10, pairs)
    assert len(HashedPairs(schema, 10, [["tags", "user"]]).left) == 500
