"""Files into chunks: blocks, threads, several files and rejected rows change nothing of what is kept."""

import json

import numpy as np
import pyarrow as pa
import pytest

from ctr.data import Table, cache
from ctr.data.readers import text
from ctr.data.staging import ChunkColumn, without
from ctr.errors import UserError
from tests.data.small import FIELDS, HEADER, keys, open_rows, row_numbers, rows, same, same_data

EXTRAS = {"group": "user", "time": {"column": "ts", "format": "unix"}, "weight": "ts"}


@pytest.mark.parametrize("block", [2**8, 2**10])
@pytest.mark.parametrize("by", ["order", "group", "time", "random"])
def test_rows_in_many_blocks_are_those_in_one(tmp_path, monkeypatch, block, by):
    """Every kind of field. Where a split is drawn by groups, blocks hold rows of all splits."""
    split = {"by": by, "valid": 0.2, "test": 0.2} | ({"column": "user"} if by == "group" else {})
    one = open_rows(tmp_path, rows(150), split=split, **EXTRAS)
    monkeypatch.setattr(text, "BLOCK_BYTES", block)
    many = open_rows(tmp_path, split=split, cache=str(tmp_path / "many"), **EXTRAS)
    assert [one.schema.fields[i] for i in range(12) if i != 9] == [many.schema.fields[i] for i in range(12) if i != 9]
    wave = slice(one.schema.slot_fields.index(9), one.schema.slot_fields.index(10))  # its mean is a rounded sum
    for name in ("train", "valid", "test"):
        a, b = one.rows(name), many.rows(name)
        np.testing.assert_allclose(a.values[:, wave], b.values[:, wave], atol=1e-6)
        a.values[:, wave] = b.values[:, wave] = 0
        assert same(a, b)
    assert one.notes == many.notes


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_number_of_threads_changes_nothing(tmp_path, monkeypatch, threads):
    monkeypatch.setattr(text, "BLOCK_BYTES", 2**9)
    one = open_rows(tmp_path, rows(150), **EXTRAS)
    monkeypatch.setattr(cache, "_threads", lambda: threads)
    assert same_data(one, open_rows(tmp_path, cache=str(tmp_path / "other"), **EXTRAS))


@pytest.mark.parametrize("bad", ["1,5,u1,x,cheap,a,5\n", "1,5,short\n"])
def test_blocks_without_a_row_of_train_or_with_nothing_but_rejects(tmp_path, monkeypatch, bad):
    """Blocks of about a line: the last ones are all valid and test, and some have only rejects."""
    lines = rows(60).splitlines(keepends=True)
    good = open_rows(tmp_path, "".join(lines))
    monkeypatch.setattr(text, "BLOCK_BYTES", 40)
    data = open_rows(
        tmp_path, "".join([*lines[:20], bad * 10, *lines[20:]]), bad_rows="reject", cache=str(tmp_path / "bad")
    )
    assert row_numbers(data, "train") == row_numbers(good, "train") == list(range(36))
    for split in ("train", "valid", "test"):
        np.testing.assert_array_equal(data.rows(split).ids, good.rows(split).ids)
    assert data.manifest["rows"]["read"] == 70
    assert sum(data.manifest["rows"]["rejected"].values()) == 10


def test_a_file_of_which_every_row_is_ragged_is_refused_with_its_first_line(tmp_path):
    """Names from the config for a file of more columns."""
    reader = {"format": "csv", "columns": ["label", "user"]}
    with pytest.raises(UserError, match="line 1: expected 2 columns, found 7"):
        open_rows(tmp_path, rows(10), reader=reader, fields={"user": "categorical"})


# --- rows that cannot be read ---

BAD = {
    "1,5,u1,x\n": ("expected 7 columns, found 4", 2),
    "1,6,u1,x,cheap,a,5\n": ("column 'price': expected a finite number", 3),
    "2,7,u1,x,1,a,5\n": ("column 'label': expected labels 0 or 1", 4),
    "1,9,u1,x,1,a,noon\n": ("column 'ts': expected a finite number", 5),
}
NO_LABEL = ",8,u1,x,1,a,5\n"


def test_rejected_rows_are_counted_by_reason_and_kept_with_their_lines(tmp_path):
    mixed = "".join([*BAD, rows(40), "1,5,u1,x\n"])
    data = open_rows(tmp_path, mixed, bad_rows="reject")
    counts = data.manifest["rows"]
    assert counts["read"] == 45
    assert counts["train"] + counts["valid"] + counts["test"] == 40
    assert sorted(counts["rejected"].values()) == [1, 1, 1, 2]
    kept = [json.loads(line) for line in (data.folder / "rejected.jsonl").read_text().splitlines()]
    for entry, (reason, line) in zip(kept, BAD.values(), strict=False):
        assert entry["reason"].startswith(reason)
        assert (entry["line"], entry["file"]) == (line, str(tmp_path / "train.csv"))
    assert kept[-1]["line"] == 46
    assert "2 rows of 45 left out: expected 7 columns, found 4" in data.summary


@pytest.mark.parametrize("other", [NO_LABEL, "yes,8,u1,x,1,a,5\n"])
def test_a_label_of_2_is_rejected_whatever_stands_beside_it(tmp_path, other):
    data = open_rows(tmp_path, f"2,7,u1,x,1,a,5\n{other}{rows(40)}", bad_rows="reject")
    assert set(data.rows("train").labels.tolist()) == {0.0, 1.0}
    assert sum(data.manifest["rows"]["rejected"].values()) == 2


def test_an_empty_label_is_refused(tmp_path):
    with pytest.raises(UserError, match="column 'label', line 42: expected a number, found an empty cell"):
        open_rows(tmp_path, rows(40) + NO_LABEL)


@pytest.mark.parametrize("bad", BAD)
def test_the_first_row_that_cannot_be_read_is_refused_with_its_line(tmp_path, monkeypatch, bad):
    monkeypatch.setattr(text, "BLOCK_BYTES", 2**8)
    reason, _ = BAD[bad]
    with pytest.raises(UserError) as refused:
        open_rows(tmp_path, rows(30) + bad + rows(30) + bad)
    told = str(refused.value)
    assert "line 32" in told
    assert reason.partition(": ")[2] in told
    assert str(tmp_path / "train.csv") in told
    assert "dataset.bad_rows=reject" in told


def test_rejected_rows_are_not_fitted_to(tmp_path):
    fields = {name: FIELDS[name] for name in ("row", "user", "price")}
    good = open_rows(tmp_path, rows(40), fields=fields)
    bad = "1,77,u77,x,1e39,a,5\n2,78,u78,x,1000,a,5\n"
    data = open_rows(tmp_path, bad + rows(40), fields=fields, bad_rows="reject")
    assert same_data(data, good)


def test_a_column_that_two_fields_read_is_rejected_once(tmp_path):
    data = open_rows(tmp_path, "1,5,u1,x,cheap,a,5\n" + rows(20), bad_rows="reject")
    assert data.manifest["rows"]["rejected"] == {"column 'price': expected a finite number": 1}


# --- missing texts ---


def test_missing_texts_become_the_empty_one():
    cells = pa.array(["a", "NA", "", "-", "NA ", "a"]).dictionary_encode()
    assert without(cells, ["NA", "-"]).to_pylist() == ["a", "", "", "", "NA ", "a"]


def test_missing_has_to_be_a_list(tmp_path):
    with pytest.raises(UserError, match="missing"):
        open_rows(tmp_path, rows(20), missing="NA", fields={"row": "numeric", "item": "categorical"})


def test_missing_texts_do_not_hinder_entries(tmp_path):
    (tmp_path / "train.csv").write_text("".join(f"{i % 2} {i}:1\n" for i in range(10)))
    assert open_rows(tmp_path, reader="libfm", fields=None, missing=["NA"]).schema.num_fields == 1


# --- columns of chunks ---


class InMemory:
    def __init__(self, cells: list[str]):
        self.num_rows, self.cells = len(cells), pa.array(cells).dictionary_encode()

    def open(self) -> pa.RecordBatch:
        return pa.record_batch([self.cells], names=["f"])


def test_a_column_of_chunks_can_be_filtered_and_gone_through_again():
    chunks = [InMemory(["a", "b"]), InMemory(["c"]), InMemory(["b"])]
    keep = [np.array([True, False]), np.array([False]), np.array([True])]
    column = ChunkColumn(chunks, "f", keep)
    for _ in range(2):
        assert [array.to_pylist() for array in column] == [["a"], [], ["b"]]
    assert [array.dictionary.to_pylist() for array in column] == [["a", "b"], ["c"], ["b"]]  # whole, as the tables need
    assert [array.to_pylist() for array in ChunkColumn(chunks, "f")] == [["a", "b"], ["c"], ["b"]]


# --- fields that share ---


@pytest.mark.parametrize("share", ["usr", "last", "price", "third"])
def test_a_share_of_nothing_of_itself_of_a_number_or_of_another_share_is_refused(tmp_path, share):
    fields = {
        "user": "categorical",
        "price": "numeric",
        "third": {"kind": "categorical", "column": "item", "share": "user"},
        "last": {"kind": "categorical", "column": "item", "share": share},
    }
    with pytest.raises(UserError, match=f"field 'last': share names another field .* found '{share}'"):
        open_rows(tmp_path, rows(20), fields=fields)


def test_a_share_that_cannot_be_is_refused_before_anything_is_read(tmp_path):
    with pytest.raises(UserError, match="share names another field"):
        Table(**keys(tmp_path, fields={"user": {"kind": "categorical", "share": "usr"}}))


def test_a_dataset_of_shared_fields_has_one_block_of_ids(tmp_path):
    fields = {
        "user": "categorical",
        "row": "numeric",
        "last": {"kind": "categorical", "column": "user", "share": "user"},
    }
    data = open_rows(tmp_path, rows(50), fields=fields)
    batch = data.rows("train")
    assert data.schema.offsets[0] == data.schema.offsets[2] == 0
    assert data.schema.num_features == data.schema.fields[0].num_features + 1
    assert batch.ids[:, 0].tolist() == batch.ids[:, 2].tolist()
    assert HEADER.split(",")[2] == "user"
