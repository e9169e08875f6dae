"""A Table from files to Batches: rows in are rows out, train decides what is known, Parquet is CSV."""

import csv
import io
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ctr.batch import Batch
from ctr.data import Table
from ctr.data.module import InMemoryData
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError
from ctr.schema import FieldKind


def open_table(folder: Path, rows: str | bytes, others: str | bytes | None = None, **changes) -> InMemoryData:
    """A Table with train of these rows, and valid and test of the others, or of the same where none are given."""
    for split, text in {"train": rows, "valid": others, "test": others}.items():
        text = rows if text is None else text
        (folder / f"{split}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    files = {split: f"{split}.csv" for split in ("train", "valid", "test")}
    columns = {"label": "label", "group": None, "weight": None, "fields": {"user": "categorical"}}
    rest = {"root": str(folder), "delimiter": ",", "labels": "binary", "source": ""}
    return Table(**files | columns | rest | changes).open()


def same(one: Batch, other: Batch) -> bool:
    parts = zip(vars(one).values(), vars(other).values(), strict=True)
    return all(a is b is None or torch.equal(a, b) for a, b in parts)


TRAIN = "label,user,item\n1,ann,x\n0,bob,y\n1,ann,\n0,NA,x\n"
VALID = "label,user,item\n0,eve,\n1,NA,z\n1,ann,ann\n"
BOTH = {"user": "categorical", "item": "categorical"}


def test_a_small_table_by_hand(tmp_path):
    data = open_table(tmp_path, TRAIN, VALID, fields=BOTH)
    # user: 0 OOV, 1 ann, 2 NA, 3 bob; item: 4 OOV, 5 x, 6 empty, 7 y
    assert data.schema.offsets == (0, 4)
    assert data.splits["train"].ids.tolist() == [[1, 5], [3, 7], [1, 6], [2, 5]]
    assert data.splits["valid"].ids.tolist() == [[0, 6], [2, 4], [1, 4]]
    assert data.splits["train"].labels.tolist() == [1, 0, 1, 0]
    assert (data.splits["valid"].values == 1).all()
    assert (data.splits["train"].ids.dtype, data.splits["train"].values.dtype) == (torch.int64, torch.float32)


def test_valid_and_test_do_not_change_the_schema(tmp_path):
    alone = open_table(tmp_path, TRAIN, TRAIN, fields=BOTH)
    assert open_table(tmp_path, TRAIN, VALID, fields=BOTH).schema == alone.schema


def test_a_token_known_to_one_field_is_unknown_to_another(tmp_path):
    data = open_table(tmp_path, TRAIN, VALID, fields=BOTH)
    assert data.splits["valid"].ids[2].tolist() == [1, data.schema.offsets[1]]  # ann is a user, and no item


def test_a_missing_value_is_oov_where_train_misses_none(tmp_path):
    data = open_table(tmp_path, "label,user\n1,a\n0,b\n", "label,user\n1,\n")
    assert data.splits["valid"].ids.tolist() == [[0]]


def test_fields_stand_in_the_order_of_the_config_not_of_the_file(tmp_path):
    data = open_table(tmp_path, "user,label,item\na,1,x\nb,0,y\n", fields={"item": "categorical"} | BOTH)
    assert [field.name for field in data.schema.fields] == ["item", "user"]


def test_the_summary_counts_rows_positives_and_unseen_tokens(tmp_path):
    summary = open_table(tmp_path, TRAIN, VALID, fields=BOTH).summary
    for told in ("4 rows, mean label 0.5000", "3 rows, mean label 0.6667", "2 fields, 2 slots, 8 features"):
        assert told in summary
    assert "user: unseen or rare tokens, counted as OOV: 1 in valid, 1 in test" in summary
    assert "item: unseen or rare tokens, counted as OOV: 2 in valid, 2 in test" in summary


def test_rare_tokens_of_train_are_counted_too(tmp_path):
    summary = open_table(tmp_path, TRAIN, fields={"user": {"kind": "categorical", "min_count": 2}}).summary
    assert "counted as OOV: 2 in train, 2 in valid, 2 in test" in summary


def test_groups_have_the_same_number_in_all_splits(tmp_path):
    data = open_table(tmp_path, TRAIN, VALID, group="user", fields={"item": "categorical"})
    train, valid = data.splits["train"].groups.tolist(), data.splits["valid"].groups.tolist()
    number = dict(zip(["ann", "bob", "ann", "NA"], train, strict=True))
    assert train == [number["ann"], number["bob"], number["ann"], number["NA"]]
    assert valid[1:] == [number["NA"], number["ann"]]
    assert len({*train, valid[0]}) == 4  # eve has a number of her own


def test_a_group_column_may_be_a_field_too(tmp_path):
    data = open_table(tmp_path, TRAIN, group="user")
    assert data.schema.num_fields == 1
    assert data.splits["train"].groups is not None


def test_weights_are_kept_and_none_without_a_column(tmp_path):
    text = "label,user,w\n1,a,0.25\n0,b,0\n"
    data = open_table(tmp_path, text, weight="w")
    assert data.splits["train"].weights.tolist() == [0.25, 0.0]
    assert open_table(tmp_path, text).splits["train"].weights is None
    assert open_table(tmp_path, text).splits["train"].groups is None


def test_regression_labels_are_kept(tmp_path):
    data = open_table(tmp_path, "label,user\n-3.5,a\n2,b\n-3.5,b\n", labels="real")
    assert data.splits["train"].labels.tolist() == [-3.5, 2.0, -3.5]


@pytest.mark.parametrize("ones", ["1", "1.0", " 1 "])
def test_labels_are_read_as_numbers(tmp_path, ones):
    assert open_table(tmp_path, f"label,user\n{ones},a\n0,b\n").splits["train"].labels.tolist() == [1, 0]


HUGE = ["9007199254740992", "9007199254740993", "99999999999999999998", "99999999999999999999", "007", "7"]


def test_huge_ids_and_leading_zeros_stay_apart(tmp_path):
    rows = "".join(f"{i % 2},{token}\n" for i, token in enumerate([*HUGE, ""]))
    assert open_table(tmp_path, "label,user\n" + rows).splits["train"].ids.unique().numel() == 7


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
ROWS = st.lists(st.tuples(st.sampled_from("01"), TEXT, st.sampled_from(["", "a", "b,", '"'])), max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(ROWS, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_any_table_comes_back(tmp_path, rows, delimiter, quoting):
    rows = [("0", "", ""), ("1", "x", "b,"), *rows]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows([("label", "user", "item"), *rows])
    data = open_table(tmp_path, text.getvalue(), delimiter=delimiter, fields=BOTH)
    ids = data.splits["train"].ids - torch.tensor(data.schema.offsets)
    decoded = [
        [Vocabulary.fit(Counter(column), 1).tokens[i - 1] for i in coded.tolist()]
        for column, coded in zip(list(zip(*rows, strict=True))[1:], ids.T, strict=True)
    ]
    assert list(zip(*decoded, strict=True)) == [row[1:] for row in rows]
    assert data.splits["train"].labels.tolist() == [float(label) for label, *_ in rows]


COLUMNS = {
    "strings": pa.array(["b", None, "a", "b", ""]),
    "large strings": pa.array(["b", None, "a", "b", ""], pa.large_string()),
    "integers": pa.array([2**53 + 1, None, 2**53, 7, 7]),
    "unsigned": pa.array([2**64 - 1, None, 2**64 - 2, 7, 7], pa.uint64()),
    "dictionary": pa.array(["b", None, "a", "b", ""]).dictionary_encode(),
    "dictionary of integers": pa.array([5, None, 5, 7, 7]).dictionary_encode(),
    "all null": pa.nulls(5),
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_parquet_gives_the_batch_of_csv(tmp_path, kind):
    user, price, tags = COLUMNS[kind], [1.5, None, -2.0, 0.1, 3.0], ["x|y", "", None, "y", "x|z|y"]
    columns = {"label": [1, 0, 1, 0, 1], "user": user, "price": price, "tags": tags}
    text = io.StringIO()
    csv.writer(text).writerow(columns)
    csv.writer(text).writerows(zip(columns["label"], user.to_pylist(), price, tags, strict=True))
    for split in ("train", "valid", "test"):
        parquet.write_table(pa.table(columns), tmp_path / f"{split}.parquet", row_group_size=2)
    fields = {"user": "categorical", "price": "numeric", "tags": {"kind": "multivalued", "separator": "|"}}
    files = {split: f"{split}.parquet" for split in ("train", "valid", "test")}
    of_csv = open_table(tmp_path, text.getvalue(), fields=fields, group="user")
    of_parquet = open_table(tmp_path, text.getvalue(), fields=fields, group="user", **files)
    assert of_parquet.schema == of_csv.schema
    assert all(same(of_parquet.splits[split], of_csv.splits[split]) for split in files)


def test_the_kinds_of_the_config_are_the_kinds_of_the_schema(tmp_path):
    fields = {"user": "categorical", "item": {"kind": "multivalued", "separator": "|"}, "price": "numeric"}
    data = open_table(tmp_path, "label,user,item,price\n1,ann,x,2\n0,bob,y,3\n", fields=fields)
    assert [field.kind for field in data.schema.fields] == [
        FieldKind.CATEGORICAL,
        FieldKind.MULTIVALUED,
        FieldKind.NUMERIC,
    ]


def test_the_label_is_no_field(tmp_path):
    with pytest.raises(UserError, match="give the answer away"):
        open_table(tmp_path, TRAIN, fields={"label": "numeric"})
