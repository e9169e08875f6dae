"""A Table from files to Batches: rows in are rows out, train decides what is known, Parquet is CSV."""

import csv
import gzip
import io
import json
import math
import re
from collections import Counter
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ctr.batch import Batch
from ctr.data import Table, prepare, shards
from ctr.data.prepared import PreparedData
from ctr.data.readers import text as pieces
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.conftest import ROOT

SPLITS = ("train", "valid", "test")
NOTHING = dict.fromkeys(["split", "label_values", "group", "weight", "time", "negatives"])


def open_table(folder: Path, rows: str | bytes, others: str | bytes | None = None, **changes) -> PreparedData:
    """A Table with train of these rows, and valid and test of the others, or of the same where none are given."""
    for split, text in {"train": rows, "valid": others, "test": others}.items():
        text = rows if text is None else text
        (folder / f"{split}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    files = {split: f"{split}.csv" for split in SPLITS}
    columns = {"label": "label", "labels": "binary", "fields": {"user": "categorical"}, "missing": []}
    places = {"root": str(folder), "cache": str(folder / "cache"), "source": ""}
    rest = {"reader": "csv", "bad_rows": "refuse", "window": 1000}
    return Table(**files | NOTHING | columns | places | rest | changes).open()


def same(one: Batch, other: Batch) -> bool:
    parts = zip(vars(one).values(), vars(other).values(), strict=True)
    return all(a is b is None or torch.equal(a, b) for a, b in parts)


def tokens(data: PreparedData, field: int = 0) -> list[str]:
    """The tokens of a categorical field by their ids; 0 is OOV."""
    return ["OOV", *data.encoders()[field].encoder.vocabulary.tokens.to_pylist()]


def rejected(data: PreparedData) -> list[dict]:
    return [json.loads(line) for line in (data.folder / "rejected.jsonl").read_text().splitlines()]


TRAIN = "label,user,item\n1,ann,x\n0,bob,y\n1,ann,\n0,NA,x\n"
VALID = "label,user,item\n0,eve,\n1,NA,z\n1,ann,ann\n"
BOTH = {"user": "categorical", "item": "categorical"}


def test_a_small_table_by_hand(tmp_path):
    data = open_table(tmp_path, TRAIN, VALID, fields=BOTH)
    # user: 0 OOV, 1 ann, 2 NA, 3 bob; item: 4 OOV, 5 x, 6 empty, 7 y
    assert data.schema.offsets == (0, 4)
    assert data.rows("train").ids.tolist() == [[1, 5], [3, 7], [1, 6], [2, 5]]
    assert data.rows("valid").ids.tolist() == [[0, 6], [2, 4], [1, 4]]
    assert data.rows("train").labels.tolist() == [1, 0, 1, 0]
    assert (data.rows("valid").values == 1).all()
    assert (data.rows("train").ids.dtype, data.rows("train").values.dtype) == (torch.int64, torch.float32)


def test_valid_and_test_do_not_change_the_schema(tmp_path):
    alone = open_table(tmp_path, TRAIN, TRAIN, fields=BOTH)
    assert open_table(tmp_path, TRAIN, VALID, fields=BOTH).schema == alone.schema


def test_a_token_known_to_one_field_is_unknown_to_another(tmp_path):
    data = open_table(tmp_path, TRAIN, VALID, fields=BOTH)
    assert data.rows("valid").ids[2].tolist() == [1, data.schema.offsets[1]]  # ann is a user, and no item


def test_a_missing_value_is_oov_where_train_misses_none(tmp_path):
    data = open_table(tmp_path, "label,user\n1,a\n0,b\n", "label,user\n1,\n")
    assert data.rows("valid").ids.tolist() == [[0]]


def test_fields_stand_in_the_order_of_the_config_not_of_the_file(tmp_path):
    data = open_table(tmp_path, "user,label,item\na,1,x\nb,0,y\n", fields={"item": "categorical"} | BOTH)
    assert [field.name for field in data.schema.fields] == ["item", "user"]


def test_two_fields_may_read_one_column(tmp_path):
    fields = {"age": "numeric", "age_bin": {"kind": "quantile", "bins": 2, "column": "age"}}
    data = open_table(tmp_path, "label,age\n1,10\n0,20\n1,30\n0,40\n", fields=fields)
    assert data.rows("train").values[:, 0].tolist() == [10, 20, 30, 40]
    assert data.rows("train").ids[:, 1].tolist() == [2, 2, 3, 3]


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
    train, valid = data.rows("train").groups.tolist(), data.rows("valid").groups.tolist()
    number = dict(zip(["ann", "bob", "ann", "NA"], train, strict=True))
    assert train == [number["ann"], number["bob"], number["ann"], number["NA"]]
    assert valid[1:] == [number["NA"], number["ann"]]
    assert len({*train, valid[0]}) == 4  # eve has a number of her own


def test_a_group_column_may_be_a_field_too(tmp_path):
    data = open_table(tmp_path, TRAIN, group="user")
    assert data.schema.num_fields == 1
    assert data.rows("train").groups is not None


def test_weights_are_kept_and_none_without_a_column(tmp_path):
    text = "label,user,w\n1,a,0.25\n0,b,0\n0,c,3\n"
    data = open_table(tmp_path, text, weight="w")
    assert data.rows("train").weights.tolist() == [0.25, 0.0, 3.0]
    assert open_table(tmp_path, text).rows("train").weights is None
    assert open_table(tmp_path, text).rows("train").groups is None


def test_regression_labels_are_kept(tmp_path):
    data = open_table(tmp_path, "label,user\n-3.5,a\n2,b\n-3.5,b\n", labels="real")
    assert data.rows("train").labels.tolist() == [-3.5, 2.0, -3.5]


@pytest.mark.parametrize("ones", ["1", "1.0", " 1 ", "+1", "1e0"])
def test_labels_are_read_as_numbers(tmp_path, ones):
    assert open_table(tmp_path, f"label,user\n{ones},a\n0,b\n").rows("train").labels.tolist() == [1, 0]


def test_labels_that_are_texts_are_mapped_by_name(tmp_path):
    text = "label,user\nyes,a\nno,b\nyes,b\n"
    data = open_table(tmp_path, text, label_values={"yes": 1, "no": 0, "maybe": 0})
    assert data.rows("train").labels.tolist() == [1, 0, 1]
    data = open_table(tmp_path, "label,user\n1,a\n2,b\n", label_values={1: 0, 2: 1})  # as YAML reads {1: 0, 2: 1}
    assert data.rows("train").labels.tolist() == [0, 1]
    data = open_table(tmp_path, text, label_values={"yes": 2.5, "no": -1}, labels="real")
    assert data.rows("train").labels.tolist() == [2.5, -1, 2.5]


@pytest.mark.parametrize("text", ["{yes: 1, no: 0}", "{'no': 0, on: 1}", "{true: 1, false: 0}", "{null: 0, 'yes': 1}"])
def test_texts_that_yaml_reads_as_something_else_are_refused_with_the_reason(tmp_path, text):
    with pytest.raises(
        UserError, match=r"(True|None) is none\. YAML reads an unquoted yes, no, .* put quotes around it"
    ):
        open_table(tmp_path, "label,user\nyes,a\nno,b\n", label_values=yaml.safe_load(text))


def test_a_label_that_the_mapping_lacks_is_no_label(tmp_path):
    with pytest.raises(UserError, match=r"column 'label', line 3: expected one of label_values, 'yes'; found 'no'"):
        open_table(tmp_path, "label,user\nyes,a\nno,b\n", label_values={"yes": 1})


@pytest.mark.parametrize("values", [{"yes": 2, "no": 0}, {"yes": float("nan"), "no": 0}], ids=["2", "nan"])
def test_mapped_labels_are_binary_labels_too(tmp_path, values):
    with pytest.raises(UserError, match=r"label_values|0 or 1|0 and 1"):
        open_table(tmp_path, "label,user\nyes,a\nno,b\n", label_values=values)


# --- missing values ---

NAMES_OF_NOTHING = ["NA", "null", "nan", "None", "NULL", "?", "-", " ", "N/A"]


def test_names_of_nothing_are_values_unless_the_config_says_otherwise(tmp_path):
    text = "label,user\n" + "".join(f"{i % 2},{name}\n" for i, name in enumerate([*NAMES_OF_NOTHING, ""]))
    data = open_table(tmp_path, text)
    assert [tokens(data)[i] for i in data.rows("train").ids[:, 0]] == [*NAMES_OF_NOTHING, ""]
    assert len(set(tokens(data))) == len(NAMES_OF_NOTHING) + 2
    data = open_table(tmp_path, text, missing=["NA", "?"])
    read = ["" if name in ("NA", "?") else name for name in [*NAMES_OF_NOTHING, ""]]
    assert [tokens(data)[i] for i in data.rows("train").ids[:, 0]] == read


def test_a_field_may_have_missing_texts_of_its_own(tmp_path):
    text = "label,user,price,item\n1,NA,NA,NA\n0,-1,-1,-1\n1,a,3,b\n"
    fields = {
        "user": "categorical",
        "price": {"kind": "numeric", "missing": ["-1", "NA"]},
        "item": {"kind": "categorical", "missing": []},
    }
    data = open_table(tmp_path, text, fields=fields, missing=["NA"])
    assert [tokens(data, 0)[i] for i in data.rows("train").ids[:, 0].tolist()] == ["", "-1", "a"]
    assert data.rows("train").values[:, 1].tolist() == [0, 0, 3]
    assert sorted(tokens(data, 2)) == ["-1", "NA", "OOV", "b"]


def test_missing_texts_are_for_fields_not_for_labels(tmp_path):
    with pytest.raises(UserError, match=r"column 'label', line 3.*'NA'"):
        open_table(tmp_path, "label,user\n1,a\nNA,b\n", missing=["NA"])


HUGE = ["9007199254740992", "9007199254740993", "99999999999999999998", "99999999999999999999", "007", "7"]


def test_huge_ids_and_leading_zeros_stay_apart(tmp_path):
    rows = "".join(f"{i % 2},{token}\n" for i, token in enumerate([*HUGE, ""]))
    assert open_table(tmp_path, "label,user\n" + rows).rows("train").ids.unique().numel() == 7


# --- rows that cannot be read ---

DAMAGED = """\
label,user,price
1,ann,1
2,bob,1
1,ann
0,"eve
x",2
1,5" pipe,3
7,ann,1
1,ann,cheap
5,bob,cheap
0,bob,1e39
0,bob,0.5
"""
LINES = {3: "column 'label'", 4: "expected 3 columns, found 2", 7: "quotes", 8: "column 'label'", 9: "column 'price'"}
LINES |= {10: "column 'label'", 11: "column 'price'"}  # one reason a row: the first
PRICED = {"user": "categorical", "price": "numeric"}


def test_rejected_rows_are_counted_kept_and_told(tmp_path):
    data = open_table(tmp_path, DAMAGED, "label,user,price\n1,ann,1\n", fields=PRICED, bad_rows="reject")
    assert data.rows("train").labels.tolist() == [1, 0, 0]
    assert [tokens(data)[i] for i in data.rows("train").ids[:, 0].tolist()] == ["ann", "eve\nx", "bob"]
    told = rejected(data)
    assert [row["line"] for row in told] == list(LINES)
    assert all(reason in row["reason"] for row, reason in zip(told, LINES.values(), strict=True))
    assert {Path(row["file"]).name for row in told} == {"train.csv"}
    assert [row["text"] for row in told] == ["2", "1,ann", '1,5" pipe,3', "7", "cheap", "5", "1e39"]
    counts = data.manifest["rows"]
    assert counts["rejected"] == Counter(row["reason"] for row in told)
    assert counts["read"] == 12 == sum(counts["rejected"].values()) + sum(counts[split] for split in SPLITS)
    for reason, count in counts["rejected"].items():
        assert f"{count} rows of 12 left out: {reason}" in data.summary


def test_a_label_is_no_better_for_an_empty_one_beside_it(tmp_path):
    data = open_table(tmp_path, "label,user\n1,a\n0,b\n,c\n2,d\n-1,e\n", "label,user\n1,a\n", bad_rows="reject")
    assert data.rows("train").labels.tolist() == [1, 0]
    assert [row["line"] for row in rejected(data)] == [4, 5, 6]


def test_nothing_rejected_is_nothing_told(tmp_path):
    data = open_table(tmp_path, TRAIN, bad_rows="reject")
    assert data.manifest["rows"]["rejected"] == {}
    assert rejected(data) == []
    assert "left out" not in data.summary


GOOD_LINE, BAD = "1,ann,1", {"2,ann,1": "0 or 1", "1,ann": "3 columns", '1,a"b,1': "quotes", "1,ann,x": "finite"}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.lists(st.sampled_from([GOOD_LINE] * 6 + list(BAD)), max_size=25), st.integers(8, 80))
def test_refuse_names_the_first_bad_row_of_the_file(tmp_path, lines, size):
    lines = ["0,bob,2", GOOD_LINE, *lines, "1,eve,cheap", GOOD_LINE]
    first = next(i for i, line in enumerate(lines) if line in BAD or "cheap" in line)
    text = "\n".join(["label,user,price", *lines])
    with patch.object(pieces, "BLOCK_BYTES", size), pytest.raises(UserError) as refused:
        open_table(tmp_path, text, fields=PRICED)
    assert "train.csv" in str(refused.value)
    assert f"line {first + 2}: " in str(refused.value)
    assert BAD.get(lines[first], "finite number") in str(refused.value)


# --- the rows of a split, by their splits, files and shares ---


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    st.lists(st.sampled_from(["1,a", "0,b", "0,a", "2,a", "1", ",a", "x,b", "1,a,b"]), max_size=30),
    st.sampled_from([None, {"by": "random", "valid": 0.2, "test": 0.1}, {"by": "fold", "fold": 1, "valid": 0.2}]),
    st.sampled_from([None, {"keep": 0.5, "seed": 1}]),
)
def test_rows_read_are_rows_of_splits_dropped_and_rejected(tmp_path, lines, split, negatives):
    lines = ["1,a", "0,b"] * 5 + lines
    files = {} if split is None else {"valid": None, "test": None}
    text, extra = "\n".join(["label,user", *lines]), ["label,user\n1,a\n2,b\n", 4] if split is None else [None, 0]
    data = open_table(tmp_path, text, extra[0], bad_rows="reject", split=split, negatives=negatives, **files)
    told = data.manifest["rows"]
    assert told["read"] == len(lines) + extra[1]
    assert told["read"] == sum(told[s] for s in SPLITS) + told["dropped_negatives"] + sum(told["rejected"].values())
    assert {s: len(data.rows(s)) for s in SPLITS} == {s: told[s] for s in SPLITS}
    good = Counter(line for line in lines if line in ("1,a", "0,b", "0,a"))
    assert sum(told["rejected"].values()) == len(lines) - good.total() + extra[1] // 2
    if split is not None and negatives is None:
        found = Counter()
        for s in SPLITS:
            batch = data.rows(s)
            users = [tokens(data)[i] for i in batch.ids[:, 0].tolist()]
            found += Counter(f"{label:g},{user}" for label, user in zip(batch.labels.tolist(), users, strict=True))
        assert found == good


def test_a_share_of_the_negatives_of_train_is_kept(tmp_path):
    text = "label,user\n" + "".join(f"{int(i % 4 == 0)},u{i}\n" for i in range(2000))
    data = open_table(tmp_path, text, negatives={"keep": 0.25, "seed": 1})
    labels, told = data.rows("train").labels, data.manifest["rows"]
    assert (labels == 1).sum() == 500
    assert abs((labels == 0).sum() - 375) < 4 * math.sqrt(1500 * 0.25 * 0.75)
    assert told["dropped_negatives"] == 2000 - len(labels)
    assert data.negatives_kept == 0.25
    assert f"train keeps 0.25 of its negatives ({told['dropped_negatives']:,} rows dropped)" in data.summary
    assert len(data.rows("valid")) == len(data.rows("test")) == 2000
    again = open_table(tmp_path, text, negatives={"keep": 0.25, "seed": 2})
    assert again.rows("train").labels.tolist() != labels.tolist()
    assert len(open_table(tmp_path, text, negatives={"keep": 1, "seed": 2}).rows("train")) == 2000


def test_rows_split_by_time_stand_before_one_another(tmp_path):
    days = [f"2014-10-2{day} {hour:02}:00:00" for day in (3, 1, 2) for hour in range(10)]
    text = "label,user,when\n" + "".join(f"{i % 2},{day},{day}\n" for i, day in enumerate(days))
    time = {"column": "when", "format": "%Y-%m-%d %H:%M:%S"}
    data = open_table(tmp_path, text, valid=None, test=None, split={"by": "time", "valid": 0.2, "test": 0.2}, time=time)
    of_train = [tokens(data)[i] for i in data.rows("train").ids[:, 0].tolist()]
    assert of_train == [*sorted(days)[:10], *sorted(days)[10:18]] == days[10:28]
    assert {split: len(data.rows(split)) for split in SPLITS} == {"train": 18, "valid": 6, "test": 6}
    assert data.rows("test").labels.tolist() == [0, 1, 0, 1, 0, 1]  # 04:00 to 09:00 of the 23rd, the file's 5th to 10th
    assert data.rows("valid").labels.tolist() == [0, 1, 0, 1, 0, 1]
    with pytest.raises(UserError, match=r"column 'when', line 2: expected a time of the format '%Y'.*2014"):
        open_table(tmp_path, text, time=time | {"format": "%Y"})


def test_files_of_a_split_by_pattern_folder_and_list(tmp_path):
    parts = {"a.csv": "1,ann", "b.csv": "0,bob", "c.csv": "1,cid", "d.csv": "0,dan"}
    (tmp_path / "days").mkdir()
    for name, row in parts.items():
        (tmp_path / "days" / name).write_text(f"label,user\n{row}\n")
    (tmp_path / "days" / "e.csv.gz").write_bytes(gzip.compress(b"user,label\neve,1\n"))  # columns go by their names
    for left_out in ("_SUCCESS", ".c.csv.crc", "_metadata"):
        (tmp_path / "days" / left_out).write_text("no table")
    (tmp_path / "days" / "more").mkdir()
    for names, users in {
        "days": ["ann", "bob", "cid", "dan", "eve"],
        "days/?.csv": ["ann", "bob", "cid", "dan"],
        "days/[cd].csv": ["cid", "dan"],
        ("days/d.csv", "days/a.csv"): ["dan", "ann"],
        ("days/*.gz", "days/b.csv", "days/c.csv"): ["eve", "bob", "cid"],
    }.items():
        data = open_table(tmp_path, TRAIN, train=names if isinstance(names, str) else list(names))
        assert [tokens(data)[i] for i in data.rows("train").ids[:, 0].tolist()] == users


def test_files_of_a_split_have_the_columns_of_the_config(tmp_path):
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "a.csv").write_text("label,user\n1,ann\n0,bob\n")
    (tmp_path / "days" / "b.csv").write_text("1,ann\n0,bob\n")
    with pytest.raises(UserError, match=r"days/b\.csv: no column 'label'; the file has 1, ann"):
        open_table(tmp_path, TRAIN, train="days")


# --- any table ---

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff"), max_size=5)
ROWS = st.lists(st.tuples(st.sampled_from("01"), TEXT, st.sampled_from(["", "a", "b,", '"'])), max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(ROWS, st.sampled_from([",", ";", "\t", "|"]), st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
def test_any_table_comes_back(tmp_path, rows, delimiter, quoting):
    rows = [("0", "", ""), ("1", "x", "b,"), *rows]
    text = io.StringIO()
    written = csv.writer(text, delimiter=delimiter, quoting=quoting, lineterminator="\n")
    written.writerows([("label", "user", "item"), *rows])
    data = open_table(tmp_path, text.getvalue(), reader={"format": "csv", "delimiter": delimiter}, fields=BOTH)
    ids = data.rows("train").ids - torch.tensor(data.schema.offsets)
    decoded = [[tokens(data, f)[i] for i in coded.tolist()] for f, coded in enumerate(ids.T)]
    assert list(zip(*decoded, strict=True)) == [row[1:] for row in rows]
    assert data.rows("train").labels.tolist() == [float(label) for label, *_ in rows]


# --- the engine against its definition ---


def reference(train: list[dict], rows: list[dict]) -> tuple[list[list[int]], list[list[float]]]:
    """Slots of user (min_count 2), price (z_score), dwell (log) and tags (3 slots), from the definitions."""

    def vocabulary(found: list[str], least: int) -> dict[str, int]:
        kept = [token for token, count in Counter(found).items() if count >= least]
        ranked = sorted(kept, key=lambda token: (-found.count(token), token.encode()))
        return {token: i for i, token in enumerate(ranked, start=1)}

    users = vocabulary([row["user"] for row in train], 2)
    tags = vocabulary([tag for row in train if row["tags"] for tag in row["tags"].split("|")], 1)
    prices = [float(row["price"]) for row in train if row["price"]]
    mean, std = np.mean(prices), np.std(prices) or 1.0
    price_at, dwell_at, tags_at = len(users) + 1, len(users) + 2, len(users) + 3
    ids, values = [], []
    for row in rows:
        chosen = row["tags"].split("|")[:3] if row["tags"] else []
        price = (float(row["price"]) - mean) / std if row["price"] else 0.0
        dwell = 0.0
        if row["dwell"]:
            dwell = math.log(float(row["dwell"]) + 1) if float(row["dwell"]) > -1 else -1.0
        slots = [tags_at + tags.get(tag, 0) for tag in chosen] + [tags_at] * (3 - len(chosen))
        ids.append([users.get(row["user"], 0), price_at, dwell_at, *slots])
        values.append([1.0, price, dwell, *[1.0] * len(chosen), *[0.0] * (3 - len(chosen))])
    return ids, values


NUMBER = st.sampled_from(["", "0", "-1", "-7.5", "1e3", "0.001", "12", " 3 "])
TAGS = st.lists(st.sampled_from(["x", "y", "é", "NA", "zz"]), max_size=5).map("|".join)
ROW = st.fixed_dictionaries({
    "label": st.sampled_from("01"), "user": st.sampled_from(["", "a", "b", "B", "é", "10", "9", "nan"]),
    "price": NUMBER, "dwell": NUMBER, "tags": TAGS,
})  # fmt: skip
MIXED = {
    "user": {"kind": "categorical", "min_count": 2},
    "price": {"kind": "numeric", "transform": "z_score"},
    "dwell": {"kind": "numeric", "transform": "log"},
    "tags": {"kind": "multivalued", "separator": "|", "max_items": 3},
}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(ROW, max_size=25), st.lists(ROW, min_size=1, max_size=10), st.none() | st.integers(30, 200))
def test_the_engine_gives_what_the_definitions_say(tmp_path, train, valid, size):
    first = {"label": "1", "user": "a", "price": "2", "dwell": "5", "tags": "x|y"}
    train = [first, first | {"label": "0", "price": "4"}, *train]
    texts = []
    for rows in (train, valid):
        texts.append(",".join(first) + "\n" + "".join(",".join(row[name] for name in first) + "\n" for row in rows))
    with patch.object(pieces, "BLOCK_BYTES", size or pieces.BLOCK_BYTES), patch.object(shards, "SHARD_ROWS", 8):
        data = open_table(tmp_path, *texts, fields=MIXED)
    for split, rows in (("train", train), ("valid", valid)):
        ids, values = reference(train, rows)
        batch = data.rows(split)
        assert batch.ids.tolist() == ids
        torch.testing.assert_close(
            batch.values.double(), torch.tensor(values, dtype=torch.double), rtol=1e-6, atol=1e-6
        )
        assert batch.labels.tolist() == [float(row["label"]) for row in rows]


# --- Parquet ---

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
    for split in SPLITS:
        parquet.write_table(pa.table(columns), tmp_path / f"{split}.parquet", row_group_size=2)
    fields = {"user": "categorical", "price": "numeric", "tags": {"kind": "multivalued", "separator": "|"}}
    files = {split: f"{split}.parquet" for split in SPLITS}
    of_csv = open_table(tmp_path, text.getvalue(), fields=fields, group="user")
    of_parquet = open_table(tmp_path, text.getvalue(), fields=fields, group="user", reader="parquet", **files)
    assert of_parquet.schema == of_csv.schema
    assert all(same(of_parquet.rows(split), of_csv.rows(split)) for split in files)


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
    with pytest.raises(UserError, match="give the answer away"):
        open_table(tmp_path, TRAIN, fields={"user": {"kind": "categorical", "column": "label"}})


def test_the_page_about_data_has_every_key_with_its_default():
    config = yaml.safe_load((ROOT / "configs/dataset/table.yaml").read_text())
    keys = (ROOT / "docs/data.md").read_text().split("## Keys")[1].split("## Files")[0]
    told = {}
    for row in re.findall(r"^\| (`.*) \| .* \| (.*) \|$", keys, flags=re.M):
        told |= zip(re.findall(r"`(\w+)`", row[0]), row[1].replace("`", "").split(", "), strict=False)
    assert told.keys() == config.keys() - {"_target_"}
    for key in told.keys() - {"root", "cache", "labels", "fields", "source"}:  # told in words
        assert yaml.safe_load(told[key]) == config[key], key


def test_staged_chunks_are_gone_when_the_data_are_there(tmp_path):
    data = open_table(tmp_path, TRAIN)
    assert not (data.folder / prepare.STAGED).exists()
