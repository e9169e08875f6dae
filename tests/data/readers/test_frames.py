"""DataFrames handed over from Python: cells as their text, NaN, None and NA as missing values."""

import gc
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctr.data import from_frames
from ctr.errors import UserError
from tests.data.readers.reading import SHARE_FOLDER

FIELDS = {"user": "categorical"}


def frame(users, labels=None, **columns) -> pd.DataFrame:
    labels = [i % 2 for i in range(len(users))] if labels is None else labels
    return pd.DataFrame({"label": labels, "user": users, **columns})


def tokens(users) -> list[str]:
    """What is read of a column, row by row."""
    one = frame(users)
    data = from_frames(one, one, one, fields=FIELDS)
    known = ["OOV", *data.encoders()[0].encoder.vocabulary.tokens.to_pylist()]
    return [known[i] for i in data.rows("train").ids[:, 0].tolist()]


COLUMNS = {
    "text": (["b", None, "", "NA"], ["b", "", "", "NA"]),
    "objects": (pd.Series(["b", None, float("nan"), "nan"], dtype=object), ["b", "", "", "nan"]),
    "pandas strings": (pd.array(["b", pd.NA], dtype="string"), ["b", ""]),
    "categories": (pd.Categorical(["b", None, "b"]), ["b", "", "b"]),
    "categories of integers": (pd.Categorical([5, 2**53 + 1]), ["5", "9007199254740993"]),
    "integers": ([2**53, 2**53 + 1], ["9007199254740992", "9007199254740993"]),
    "unsigned": (np.array([2**64 - 1, 2**64 - 2], np.uint64), ["18446744073709551615", "18446744073709551614"]),
    "Int64 with NA": (pd.array([2**53 + 1, None], dtype="Int64"), ["9007199254740993", ""]),
    "floats with NaN": ([1.0, np.nan, 2.5], ["1", "", "2.5"]),
    "large floats with NaN": ([10_000_000_001.0, np.nan, 2.0**53 - 1], ["10000000001", "", "9007199254740991"]),
    "whole floats of 32 bits": (np.array([2**24 - 1, 3], np.float32), ["16777215", "3"]),
    "booleans": ([True, False], ["1", "0"]),
    "booleans with NA": (pd.array([True, None], dtype="boolean"), ["1", ""]),
    "days": (pd.to_datetime(["2014-10-21", None]), ["1413849600", ""]),
    "decimals": (pd.Series([Decimal("1.50"), None], dtype=object), ["1.50", ""]),
    "all missing": ([None, None], ["", ""]),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_every_kind_of_column_is_read_as_its_text(kind):
    column, texts = COLUMNS[kind]
    assert tokens(column) == texts


REFUSED = {
    "numbers and text": pd.Series([1, "a"], dtype=object),
    "categories of numbers and text": pd.Categorical([1, "a"]),
    "objects": pd.Series([object(), object()], dtype=object),
    "floats that cannot tell ids apart": [1.0, 2.0**53],
    "narrow floats that cannot": np.array([16777217, 16777216], np.float32),
    "halves that cannot": np.array([2049, 2048], np.float16),
    "bytes that are no text": pd.Series([b"a", b"\xff"], dtype=object),
    "intervals": pd.interval_range(0, 2),
}
CRASH = {
    "lists": pd.Series([["a"], ["b"]], dtype=object),
    "dicts": pd.Series([{"a": 1}, {"b": 2}], dtype=object),
    "complex numbers": np.array([1j, 2]),
    "integers beyond 64 bits": pd.Series([2**70, 1], dtype=object),
    "half a letter": pd.Series(["\ud800", "a"], dtype=object),
}


@pytest.mark.parametrize("case", REFUSED)
def test_columns_that_are_no_cells_are_refused_by_frame(case):
    with pytest.raises(UserError, match=r"train.*(a column holds one type of value|column 'user')"):
        tokens(REFUSED[case])


@pytest.mark.parametrize("case", CRASH)
def test_columns_that_pandas_itself_cannot_hash_or_convert_are_refused(case):
    with pytest.raises(UserError, match="train"):
        tokens(CRASH[case])


def test_categories_that_are_large_floats_are_refused_like_the_floats():
    with pytest.raises(UserError, match=r"column 'user': floats of 2\^53 and more"):
        tokens(pd.Categorical([2.0**53 + 2, 7]))


TOKENS = {
    "categorical": "categorical",
    "hashed": {"kind": "hashed", "buckets": 1000},
    "multivalued": {"kind": "multivalued", "separator": "|"},
}


@pytest.mark.parametrize("kind", TOKENS)
@pytest.mark.parametrize("digits", range(10, 17))
def test_ids_that_a_missing_one_has_made_floats_are_the_same_ids(kind, digits):
    ids = [10 ** (digits - 1) + 1, 3 * 10 ** (digits - 1), 8 * 10 ** (digits - 1) + 7]
    known, holed = frame(ids), frame([*ids, None])
    assert (known["user"].dtype, holed["user"].dtype) == (np.int64, np.float64)
    data = from_frames(known, holed, known, fields={"user": TOKENS[kind]})
    assert data.rows("valid").ids[:3].tolist() == data.rows("train").ids.tolist()
    assert len(data.rows("train").ids.unique()) == 3
    assert 0 not in data.rows("train").ids


@pytest.mark.parametrize("kind", TOKENS)
def test_floats_that_cannot_tell_ids_apart_are_refused_whatever_becomes_of_bad_rows(kind):
    one = frame([1.0, 2.0**53])
    with pytest.raises(UserError, match=r"train, column 'user': floats of 2\^53 and more"):
        from_frames(one, one, one, fields={"user": TOKENS[kind]}, bad_rows="reject")


def test_groups_are_ids_too():
    one = frame(["a", "b"], query=np.array([1, 2**24], np.float32))
    with pytest.raises(UserError, match=r"train, column 'query': floats of 2\^24 and more"):
        from_frames(one, one, one, fields=FIELDS, group="query")


NUMBERS = [
    "numeric",
    "squared_log",
    {"kind": "quantile", "bins": 2},
    {"kind": "piecewise_linear", "bins": 2},
    {"kind": "periodic", "frequencies": 2},
    {"kind": "time", "part": "hour", "format": "unix_ms"},
]


@pytest.mark.parametrize("kind", NUMBERS, ids=lambda kind: kind if isinstance(kind, str) else kind["kind"])
def test_large_numbers_are_numbers_as_their_texts_are(kind):
    one = frame([1e16, 2.5, 2.0**53])
    texts = frame(["1e16", "2.5", "9007199254740992"])
    read = [from_frames(each, each, each, fields={"user": kind}).rows("train") for each in (one, texts)]
    assert torch.equal(read[0].ids, read[1].ids)
    assert torch.equal(read[0].values, read[1].values)


def test_columns_that_are_not_read_do_not_matter():
    one = frame(["a", "b"], mixed=pd.Series([1, "a"], dtype=object), odd=[1j, 2])
    assert from_frames(one, one, one, fields=FIELDS).rows("train").ids.tolist() == [[1], [2]]


def test_a_column_of_lists_that_is_not_read_does_not_matter():
    one = frame(["a", "b"], odd=[["a"], ["b"]])
    assert from_frames(one, one, one, fields=FIELDS).rows("train").ids.tolist() == [[1], [2]]


def test_column_names_that_are_numbers_are_read_by_their_text():
    one = pd.DataFrame({0: [1, 0], 1: ["a", "b"]})
    data = from_frames(one, one, one, label="0", fields={"1": "categorical"})
    assert data.rows("train").ids.tolist() == [[1], [2]]


def test_a_column_name_that_is_there_twice_is_refused():
    one = pd.DataFrame([[1, "a", "b"], [0, "b", "c"]], columns=["label", "user", "user"])
    with pytest.raises(UserError, match="train: columns must differ; repeated: user"):
        from_frames(one, one, one, fields=FIELDS)


def test_a_missing_column_and_a_bad_cell_are_named_with_frame_and_row():
    one = frame(["a", "b", "c"])
    with pytest.raises(UserError, match="train: no column 'usr'; the file has label, user; did you mean 'user'"):
        from_frames(one, one, one, fields={"usr": "categorical"})
    with pytest.raises(UserError, match=r"valid, column 'label', row 2: expected .*0 or 1.*found '7'"):
        from_frames(one, frame(["a", "b"], [1, 7]), one, fields=FIELDS)
    with pytest.raises(UserError, match="train: the train split is empty"):
        from_frames(frame([]), one, one, fields=FIELDS)


def test_the_index_of_a_frame_is_no_matter():
    one = frame(["a", "b", "a"], [1, 0, 1])
    turned = one.set_axis([7, 7, 1])
    data = from_frames(turned, one, turned.iloc[::-1], fields=FIELDS)
    assert data.rows("train").ids.tolist() == data.rows("valid").ids.tolist() == [[1], [2], [1]]
    assert data.rows("test").ids.tolist() == [[1], [2], [1]]


SPLITS = {
    "order": {"by": "order", "valid": 0.2, "test": 0.3},
    "random": {"by": "random", "valid": 0.2, "test": 0.3, "seed": 3},
    "time": {"by": "time", "valid": 0.2, "test": 0.3},
    "group": {"by": "group", "column": "user", "valid": 0.2, "test": 0.3},
    "fold": {"by": "fold", "fold": 2, "folds": 5, "valid": 0.25},
    "fold by column": {"by": "fold", "column": "part", "fold": 2, "valid": 0.25},
}


@pytest.mark.parametrize("way", SPLITS)
def test_one_frame_is_split_each_way(way):
    users = [f"u{i % 10}" for i in range(50)]
    one = frame(users, part=[1 + i % 5 for i in range(50)], at=range(100, 0, -2), number=range(50))
    fields = {"number": "numeric", "user": "categorical"}
    time = {"column": "at", "format": "unix"} if way == "time" else None
    data = from_frames(one, fields=fields, split=SPLITS[way], time=time, group="user")
    sizes = {split: len(data.rows(split)) for split in data.splits}
    assert sizes == (
        {"train": 30, "valid": 10, "test": 10} if "fold" in way else {"train": 25, "valid": 10, "test": 15}
    )
    parts = {split: data.rows(split).values[:, 0].int().tolist() for split in data.splits}
    assert sorted(number for part in parts.values() for number in part) == list(range(50))
    assert all(part == sorted(part) for part in parts.values())  # the order of the frame
    if way == "order":
        assert parts["valid"] == list(range(25, 35))
    if way == "time":
        assert (parts["test"], parts["valid"]) == (list(range(15)), list(range(15, 25)))
    if way == "group":
        groups = {split: set(data.rows(split).groups.tolist()) for split in parts}
        assert groups["train"].isdisjoint(groups["valid"] | groups["test"])
    if way == "fold by column":
        assert parts["test"] == list(range(1, 50, 5))


def test_the_temporary_folder_goes_when_the_data_go():
    one = frame(["a", "b"])
    data = from_frames(one, one, one, fields=FIELDS)
    folder, batch = data.folder, data.rows("train")
    assert folder.is_dir()
    del data
    gc.collect()
    assert not folder.exists()
    assert not folder.parent.exists()
    assert batch.ids.tolist() == [[1], [2]]  # a batch is a copy


def test_a_cache_is_found_again_and_other_frames_are_others(tmp_path):
    one, other = frame(["a", "b"]), frame(["a", "c"])
    data = from_frames(one, one, one, fields=FIELDS, cache=str(tmp_path))
    assert from_frames(one.copy(), one, one, fields=FIELDS, cache=str(tmp_path)).folder == data.folder
    changed = [
        from_frames(other, one, one, fields=FIELDS, cache=str(tmp_path)),
        from_frames(one, other, one, fields=FIELDS, cache=str(tmp_path)),
        from_frames(one.iloc[::-1], one, one, fields=FIELDS, cache=str(tmp_path)),
        from_frames(one.astype({"label": bool}).astype({"label": float}), one, one, fields=FIELDS, cache=str(tmp_path)),
        from_frames(one, one, one, fields={"user": {"kind": "hashed", "buckets": 4}}, cache=str(tmp_path)),
    ]
    assert len({data.folder, *(each.folder for each in changed)}) == 6


def test_names_exchanged_in_the_middle_of_many_columns_are_another_frame(tmp_path):
    names = ["label", *(f"c{i}" for i in range(70))]
    one = pd.DataFrame([[i % 2, *(f"{column}{i}" for column in range(70))] for i in range(4)], columns=names)
    names[35], names[36] = names[36], names[35]
    fields = dict.fromkeys(names[1:], "categorical")
    pair = [
        from_frames(each, each, each, fields=fields, cache=str(tmp_path)) for each in (one, one.set_axis(names, axis=1))
    ]
    assert pair[0].folder != pair[1].folder
    tokens = [[set(encoder.encoder.vocabulary.tokens.to_pylist()) for encoder in data.encoders()] for data in pair]
    places = [list(fields).index(name) for name in ("c34", "c35")]
    assert [tokens[0][place] for place in places] == [tokens[1][place] for place in reversed(places)]


@pytest.mark.parametrize("pair", [(None, "None"), (float("nan"), "nan")], ids=["None", "nan"])
def test_a_missing_value_and_its_name_are_different_contents(tmp_path, pair):
    found = []
    for value in pair:
        one = frame(pd.Series(["x", value], dtype=object))
        data = from_frames(one, one, one, fields=FIELDS, cache=str(tmp_path))
        found.append(data.encoders()[0].encoder.vocabulary.tokens.to_pylist())
    assert found == [["", "x"], [pair[1], "x"]]


CELLS = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
ROWS = st.lists(st.tuples(st.sampled_from(["0", "1", "1", "2", "", "x", "nan"]), CELLS), max_size=12)


@settings(SHARE_FOLDER, max_examples=20)
@given(ROWS)
@example([("2", None), ("", None)])
def test_rows_in_are_rows_out_and_rejects(rows):
    rows = [("1", "a"), ("0", "b"), *rows]
    one = pd.DataFrame(rows, columns=["label", "user"], dtype=object)
    data = from_frames(one, one.head(1), one.head(2), fields=FIELDS, bad_rows="reject")
    good = [(float(label), user or "") for label, user in rows if label in ("0", "1")]
    known = ["OOV", *data.encoders()[0].encoder.vocabulary.tokens.to_pylist()]
    batch = data.rows("train")
    found = [(label, known[i]) for label, i in zip(batch.labels.tolist(), batch.ids[:, 0].tolist(), strict=True)]
    assert found == good
    told = data.manifest["rows"]
    assert told["read"] == len(rows) + 3 == sum(told["rejected"].values()) + told["train"] + 1 + 2
    assert torch.equal(data.rows("test").labels, torch.tensor([1.0, 0.0]))
