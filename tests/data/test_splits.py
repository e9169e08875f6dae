"""Cutting valid and test from train's rows: exact sizes, nothing twice, nothing lost, no future and no known user."""

from fractions import Fraction
from itertools import chain, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.splits import DROPPED, drop_negatives, split_recipe
from ctr.errors import UserError
from tests.data.small import open_rows, row_numbers, rows

SHARES = st.sampled_from([0.0, 0.05, 0.1, 0.25, 0.3])
COUNTS = st.integers(1, 200)


def assign(by: str, count: int, *cells, **options) -> np.ndarray:
    return split_recipe({"by": by, **options}).assign(count, cells)


def sizes(splits: np.ndarray) -> list[int]:
    return np.bincount(splits, minlength=3).tolist()


def coded(texts: list[str], cuts=()) -> list[pa.Array]:
    bounds = [0, *sorted(cuts), len(texts)]
    return [pa.array(texts[a:b], pa.string()).dictionary_encode() for a, b in pairwise(bounds)]


# --- sizes ---


@pytest.mark.parametrize("by", ["order", "random"])
@given(COUNTS, SHARES, SHARES)
def test_sizes_are_the_rounded_shares(by, count, valid, test):
    splits = assign(by, count, valid=valid, test=test)
    expected = [round(Fraction(str(share)) * count) for share in (valid, test)]
    assert sizes(splits)[1:] == expected
    assert len(splits) == count


def test_order_keeps_the_order():
    assert assign("order", 10, valid=0.2, test=0.3).tolist() == [0] * 5 + [1] * 2 + [2] * 3


def test_random_is_drawn_by_its_seed():
    one, again, other = (assign("random", 500, valid=0.2, test=0.2, seed=seed) for seed in (3, 3, 4))
    assert one.tolist() == again.tolist()
    assert one.tolist() != other.tolist()


def test_random_draws_every_row_equally_often():
    counts = sum((assign("random", 20, valid=0.2, seed=seed) == 1).astype(int) for seed in range(1000))
    assert (abs(counts - 200) < 5 * np.sqrt(160)).all()  # five standard deviations


# --- time ---


@given(st.lists(st.integers(0, 12), min_size=1, max_size=60), SHARES, SHARES, st.integers(0, 60))
def test_no_split_overlaps_anothers_time_and_equal_times_stay_together(times, valid, test, cut):
    blocks = [pa.array(np.array(part, dtype=np.float64)) for part in (times[:cut], times[cut:])]
    splits = assign("time", len(times), *blocks, valid=valid, test=test)
    by_split = [[time for time, split in zip(times, splits, strict=True) if split == s] for s in range(3)]
    for earlier in range(3):
        for later in range(earlier + 1, 3):
            if by_split[earlier] and by_split[later]:
                assert max(by_split[earlier]) < min(by_split[later])


@given(st.permutations(range(40)), SHARES, SHARES)
def test_different_times_give_exact_shares_and_the_latest_are_test(times, valid, test):
    splits = assign("time", 40, pa.array(np.array(times, dtype=np.float64)), valid=valid, test=test)
    in_order = assign("order", 40, valid=valid, test=test)
    assert splits.tolist() == in_order[times].tolist()


def test_ties_go_where_the_shares_are_met_most_nearly():
    times = [*range(40), *[40] * 41, *range(41, 60)]  # the last fifth begins within the 41 rows of one time
    splits = assign("time", 100, pa.array(np.array(times, dtype=np.float64)), valid=0.0, test=0.2)
    assert sizes(splits) == [81, 0, 19]


# --- group ---


@given(st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=60), SHARES, SHARES, st.integers(0, 60))
def test_no_group_is_in_two_splits_and_the_shares_are_of_groups(users, valid, test, cut):
    splits = assign("group", len(users), *coded(users, [min(cut, len(users))]), column="user", valid=valid, test=test)
    of_user = dict(zip(users, splits.tolist(), strict=True))
    assert [of_user[user] for user in users] == splits.tolist()
    assert sizes(np.array(list(of_user.values()))) == sizes(assign("order", len(of_user), valid=valid, test=test))
    whole = assign("group", len(users), *coded(users), column="user", valid=valid, test=test)
    assert whole.tolist() == splits.tolist()  # however the rows fall into blocks


def test_groups_that_have_lost_all_their_rows_count_no_more():
    users = [str(i) for i in range(20)]
    there = np.arange(20) % 2 == 0
    (cells,) = coded(users)
    splits = [
        assign("group", 10, cells.filter(pa.array(there)), column="user", valid=0.2, test=0.2, seed=seed)
        for seed in range(9)
    ]
    assert [sizes(one) for one in splits] == [[6, 2, 2]] * 9


def test_groups_are_drawn_by_the_seed():
    users = [str(i % 50) for i in range(200)]
    one, again, other = (
        assign("group", 200, *coded(users), column="user", valid=0.3, seed=seed).tolist() for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


# --- folds ---


@given(st.integers(5, 80), st.integers(2, 6), st.integers(0, 99))
def test_drawn_folds_cover_every_row_once_as_test(count, folds, seed):
    tests = [assign("fold", count, fold=fold, folds=folds, seed=seed) == 2 for fold in range(1, folds + 1)]
    assert sum(one.astype(int) for one in tests).tolist() == [1] * count
    assert max(one.sum() for one in tests) - min(one.sum() for one in tests) <= 1


@given(st.lists(st.sampled_from(["1", "2", "3", "10"]), min_size=1, max_size=50), SHARES, st.integers(0, 50))
def test_the_fold_of_a_row_may_stand_in_a_column(column, valid, cut):
    blocks = coded([*column, "1"], [min(cut, len(column))])
    splits = assign("fold", len(column) + 1, *blocks, fold=1, column="fold", valid=valid)
    assert (splits == 2).tolist() == [fold == "1" for fold in [*column, "1"]]
    others = int((splits != 2).sum())
    assert (splits == 1).sum() == round(Fraction(str(valid)) * others)


def test_a_fold_that_no_row_has_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"split.fold=7: column 'fold' has no such fold, only 1, 2"):
        assign("fold", 3, *coded(["1", "2", "1"]), fold=7, column="fold")


# --- what cannot be ---


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"by": "randm", "valid": 0.1}, "split.by must be one of order, random, .* did you mean 'random'"),
        ({"valid": 0.1}, "split.by must be one of .* found None"),
        ({"by": "order", "valid": 0.1, "seed": 3}, "split by order has no option 'seed', only valid, test"),
        ({"by": "random", "vaild": 0.1}, "no option 'vaild'.* did you mean 'valid'"),
        ({"by": "random"}, "split by random needs its valid"),
        ({"by": "group", "valid": 0.1}, "split by group needs its column"),
        ({"by": "fold"}, "split by fold needs its fold"),
        ({"by": "random", "valid": 1}, "split.valid must be a share"),
        ({"by": "random", "valid": -0.1}, "split.valid must be a share"),
        ({"by": "random", "valid": "0.1"}, "split.valid must be a share"),
        ({"by": "random", "valid": True}, "split.valid must be a share"),
        ({"by": "random", "valid": 0.1, "test": 1.5}, "split.test must be a share"),
        ({"by": "random", "valid": 0.5, "test": 0.5}, "leave nothing to train on"),
        ({"by": "fold", "fold": 0}, "split.fold must be one of 1 to 5, found 0"),
        ({"by": "fold", "fold": 4, "folds": 3}, "split.fold must be one of 1 to 3, found 4"),
    ],
)  # fmt: skip
def test_a_split_that_cannot_be_is_refused(spec, told):
    with pytest.raises(UserError, match=told):
        split_recipe(spec)


@pytest.mark.parametrize("spec", [{"by": "fold", "fold": "two"}, {"by": "fold", "fold": None}])
def test_a_fold_that_is_no_number_is_refused(spec):
    with pytest.raises(UserError, match="fold"):
        split_recipe(spec)


def test_no_split_is_none():
    assert split_recipe(None) is None


# --- in a dataset ---

WAYS = {
    "order": {"by": "order", "valid": 0.25, "test": 0.125},
    "random": {"by": "random", "valid": 0.25, "test": 0.125, "seed": 2},
    "time": {"by": "time", "valid": 0.25, "test": 0.125},
    "group": {"by": "group", "column": "user", "valid": 0.25, "test": 0.25},
    "fold": {"by": "fold", "fold": 2, "folds": 4, "valid": 0.25},
}
TIME = {"column": "ts", "format": "unix"}


@pytest.mark.parametrize("way", WAYS)
def test_a_dataset_is_split_into_every_row_once_and_says_how(tmp_path, way):
    split = WAYS[way] | ({"test": 0.2, "valid": 0.2} if way == "group" else {})
    data = open_rows(tmp_path, rows(40), split=split, time=TIME)
    parts = {name: row_numbers(data, name) for name in ("train", "valid", "test")}
    assert sorted(chain(*parts.values())) == list(range(40))
    assert all(part == sorted(part) for part in parts.values())  # in the order of the file
    assert data.manifest["recipe"]["split"] == split
    expected = {"order": (25, 10, 5), "random": (25, 10, 5), "time": (25, 10, 5), "fold": (22, 8, 10)}
    if way != "group":
        assert tuple(map(len, parts.values())) == expected[way]
    users = {
        name: {row.split(",")[2] for row in rows(40).split() if int(row.split(",")[1]) in parts[name]} for name in parts
    }
    if way == "group":
        assert users["train"].isdisjoint(users["valid"])
        assert (users["train"] | users["valid"]).isdisjoint(users["test"])
    assert {name: data.manifest["rows"][name] for name in parts} == {name: len(part) for name, part in parts.items()}


def test_folds_of_a_dataset_cover_every_row_once(tmp_path):
    tests = [
        open_rows(tmp_path, rows(23) if fold == 1 else None, split={"by": "fold", "fold": fold}) for fold in range(1, 6)
    ]
    assert sorted(chain(*(row_numbers(data, "test") for data in tests))) == list(range(23))


def test_the_same_split_comes_from_rows_in_many_files(tmp_path):
    lines = rows(40).splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    header = "label,row,user,item,price,tags,ts\n"
    for i in range(4):
        (tmp_path / "parts" / f"{i}.csv").write_text(header + "".join(lines[10 * i : 10 * i + 10]))
    one = open_rows(tmp_path, "".join(lines), split=WAYS["random"])
    several = open_rows(tmp_path, train="parts", split=WAYS["random"])
    for name in ("train", "valid", "test"):
        assert row_numbers(one, name) == row_numbers(several, name)


@pytest.mark.parametrize("given_split", ["valid", "test"])
def test_one_split_may_have_its_file_and_the_other_be_cut(tmp_path, given_split):
    (tmp_path / "own.csv").write_text("label,row,user,item,price,tags,ts\n" + rows(7, seed=1, first=100))
    split = (
        {"by": "random", "valid": 0.1, "test": 0.0}
        if given_split == "test"
        else {"by": "random", "valid": 0.0, "test": 0.1}
    )
    data = open_rows(tmp_path, rows(30), split=split, **{given_split: "own.csv"})
    cut = "valid" if given_split == "test" else "test"
    assert row_numbers(data, given_split) == list(range(100, 107))
    assert len(row_numbers(data, cut)) == 3
    assert sorted(row_numbers(data, "train") + row_numbers(data, cut)) == list(range(30))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"split": None}, "valid has no files, and split takes none from train's rows; set split"),
        ({"split": {"by": "order", "valid": 0.1}}, "test has no files"),
        ({"valid": "train.csv"}, "valid has files of its own, and split takes it"),
        ({"test": "train.csv", "valid": "train.csv"}, "has files of its own"),
        ({"test": "train.csv", "split": {"by": "fold", "fold": 1}}, "test has files of its own"),
        ({"split": {"by": "time", "valid": 0.1, "test": 0.1}}, "split by time needs the dataset's time"),
        ({"split": {"by": "group", "column": "usr", "valid": 0.1, "test": 0.1}}, "no column 'usr'.* mean 'user'"),
        ({"split": {"by": "order", "valid": 0.001, "test": 0.3}}, "the valid split is empty"),
        ({"split": {"by": "random", "valid": 0.3, "test": 0.001}}, "the test split is empty"),
    ],
)
def test_a_dataset_whose_splits_cannot_be_is_refused(tmp_path, changes, told):
    with pytest.raises(UserError, match=told):
        open_rows(tmp_path, rows(20), **changes)


def test_all_rows_of_one_time_leave_no_train(tmp_path):
    text = "".join(f"{i % 2},{i},u,x,1,a,5\n" for i in range(10))
    with pytest.raises(UserError, match="the train split is empty"):
        open_rows(tmp_path, text, split=WAYS["time"], time=TIME)


# --- negatives ---


def test_a_share_of_trains_negatives_is_kept_and_nothing_else_is_touched():
    random = np.random.default_rng(0)
    labels = (random.random(30_000) < 0.3).astype(np.float64)
    before = random.choice(3, 30_000, p=[0.6, 0.2, 0.2]).astype(np.int8)
    splits = before.copy()
    dropped = drop_negatives(splits, labels, 0.2, np.random.default_rng(1))
    negatives = (before == 0) & (labels == 0)
    assert (splits[~negatives] == before[~negatives]).all()
    assert set(splits[negatives]) == {0, DROPPED}
    kept, count = int((splits[negatives] == 0).sum()), int(negatives.sum())
    assert dropped == count - kept
    assert abs(kept - 0.2 * count) < 5 * np.sqrt(count * 0.2 * 0.8)  # five standard deviations


def test_a_dataset_keeps_a_share_of_its_negatives(tmp_path):
    changes = {"negatives": {"keep": 0.25, "seed": 3}, "fields": {"row": "numeric"}}
    data = open_rows(tmp_path, rows(2000), **changes)
    labels = data.rows("train").labels
    assert (labels == 1).sum() == 600  # every second one of the first 1,200 rows
    kept = int((labels == 0).sum())
    assert abs(kept - 150) < 5 * np.sqrt(600 * 0.25 * 0.75)
    assert row_numbers(data, "valid") + row_numbers(data, "test") == list(range(1200, 2000))
    assert data.negatives_kept == data.manifest["negatives_kept"] == 0.25
    assert data.manifest["rows"]["dropped_negatives"] == 600 - kept
    assert data.manifest["rows"]["read"] == 2000
    told = "where the task predicts probabilities, those of valid and test are corrected for that"
    assert f"train keeps 0.25 of its negatives ({600 - kept} rows dropped); {told}" in data.summary
    assert row_numbers(open_rows(tmp_path, cache=str(tmp_path / "again"), **changes), "train") == row_numbers(
        data, "train"
    )
    other = open_rows(tmp_path, **changes | {"negatives": {"keep": 0.25, "seed": 4}})
    assert row_numbers(other, "train") != row_numbers(data, "train")


def test_dropped_rows_are_not_fitted_to(tmp_path):
    fields = {"row": {"kind": "numeric"}, "user": {"kind": "categorical", "column": "row"}}
    data = open_rows(tmp_path, rows(100), fields=fields, negatives={"keep": 0.1, "seed": 1})
    assert data.schema.fields[1].num_features == len(data.rows("train")) + 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"negatives": {"keep": 0, "seed": 1}}, "keep: a share above 0"),
        ({"negatives": {"keep": 1.5, "seed": 1}}, "keep: a share above 0"),
        ({"negatives": {"keep": 0.5}}, "negatives must be null or"),
        ({"negatives": {"keep": 0.5, "seed": 1}, "labels": "real"}, "only binary labels have negatives"),
        ({"negatives": {"keep": 1e-9, "seed": 1}}, "all labels of the train split are 1"),
    ],
)
def test_negatives_that_cannot_be_are_refused(tmp_path, changes, told):
    with pytest.raises(UserError, match=told):
        open_rows(tmp_path, rows(20), **changes)
