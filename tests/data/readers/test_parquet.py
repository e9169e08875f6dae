"""Parquet: columns of text, numbers or dictionaries, row group after row group; a null is a missing value."""

import random
from datetime import date
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from ctr.data.readers import parquet as reading
from ctr.data.readers import reader
from ctr.errors import UserError
from tests.data.readers.reading import SHARE_FOLDER, Found


def written(folder: Path, columns: dict, **options) -> Path:
    parquet.write_table(pa.table(columns), folder / "a.parquet", **options)
    return folder / "a.parquet"


def read_path(path: Path, columns: list[str], batch: int = reading.BATCH_ROWS) -> Found:
    made, rows, lines = reader("parquet"), [], []
    with patch.object(reading, "BATCH_ROWS", batch):
        for block in made.blocks(path, columns):
            parsed = made.parse(block, columns)
            assert (parsed.unit, parsed.rejects) == ("row", [])
            rows += zip(*(parsed.columns[column].to_pylist() for column in columns), strict=True)
            lines += map(parsed.line, range(parsed.num_rows))
    return Found(rows, lines, [])


TEXTS = {
    "strings": (pa.array(["b", None, "", "NA"]), ["b", "", "", "NA"]),
    "large strings": (pa.array(["b", None], pa.large_string()), ["b", ""]),
    "string views": (pa.array(["b", None], pa.string_view()), ["b", ""]),
    "bytes that are text": (pa.array(["é".encode(), None]), ["é", ""]),
    "integers": (pa.array([2**53 + 1, None, -(2**63)]), ["9007199254740993", "", "-9223372036854775808"]),
    "unsigned": (pa.array([2**64 - 1, 2**53 + 1], pa.uint64()), ["18446744073709551615", "9007199254740993"]),
    "small integers": (pa.array([-128, 127], pa.int8()), ["-128", "127"]),
    "dictionary": (pa.array(["b", None, "b"]).dictionary_encode(), ["b", "", "b"]),
    "dictionary of integers": (pa.array([5, None, 2**53 + 1]).dictionary_encode(), ["5", "", "9007199254740993"]),
    "all null": (pa.nulls(2), ["", ""]),
    "decimals": (pa.array([Decimal("1.50"), None]), ["1.50", ""]),
    "booleans": (pa.array([True, None, False]), ["1", "", "0"]),
    "days": (pa.array([date(2014, 10, 21)]), ["2014-10-21"]),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_every_kind_of_column_is_read_as_its_text(tmp_path, kind):
    array, texts = TEXTS[kind]
    path = written(tmp_path, {"a": array}, row_group_size=2)
    assert read_path(path, ["a"]) == ([(text,) for text in texts], list(range(1, len(texts) + 1)), [])


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_are_read_back_exactly(tmp_path, kind):
    xs = np.array([0.1, -2.5, 1e-30, 1, 2**24, 123456.789], kind)
    texts = [text for (text,) in read_path(written(tmp_path, {"a": xs}), ["a"]).rows]
    assert [kind(text) for text in texts] == xs.tolist()


CELLS = st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), max_size=20)


@settings(SHARE_FOLDER, max_examples=50)
@given(CELLS, st.integers(1, 9), st.integers(1, 9), st.booleans())
def test_rows_in_are_rows_out_whatever_the_row_groups_and_batches(tmp_path, cells, group, batch, dictionary):
    columns = {"b": list(range(len(cells))), "a": pa.array(cells, pa.string())}
    path = written(tmp_path, columns, row_group_size=group, use_dictionary=dictionary)
    found = read_path(path, ["a", "b"], batch)
    assert found.rows == [(cell or "", str(row)) for row, cell in enumerate(cells)]
    assert found.lines == list(range(1, len(cells) + 1))


REFUSED = {
    "lists": pa.array([["a", "b"], ["c"]]),
    "structs": pa.array([{"id": 1}, {"id": 2}]),
    "maps": pa.array([[("a", 1)], []], pa.map_(pa.string(), pa.int64())),
    "bytes that are no text": pa.array([b"a", b"\xff"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_columns_that_are_no_cells_are_refused_by_name(tmp_path, case):
    path = written(tmp_path, {"fine": range(len(REFUSED[case])), "wrong": REFUSED[case]})
    with pytest.raises(UserError, match=r"a\.parquet, column 'wrong': "):
        read_path(path, ["fine", "wrong"])
    assert len(read_path(path, ["fine"]).rows) == len(REFUSED[case])  # what is not read does not matter


def test_halves_are_numbers_too(tmp_path):
    assert read_path(written(tmp_path, {"a": np.array([0.5, 2], np.float16)}), ["a"]).rows == [("0.5",), ("2",)]


@pytest.mark.parametrize("digits", range(10, 17))
def test_whole_floats_are_the_texts_of_integers(tmp_path, digits):
    ids = [10 ** (digits - 1) + 1, 7 * 10 ** (digits - 1) + 6, -(10 ** (digits - 1))]
    read = [
        read_path(written(tmp_path, {"a": pa.array([*ids, None], kind)}), ["a"]).rows
        for kind in (pa.int64(), pa.float64())
    ]
    assert read[0] == read[1] == [*((str(one),) for one in ids), ("",)]


@given(st.lists(st.floats() | st.integers(-(2**63), 2**63).map(float), max_size=9), st.sampled_from([16, 32, 64]))
def test_floats_come_back_from_their_texts(xs, bits):
    with np.errstate(over="ignore"):
        xs = np.array(xs, f"float{bits}")
    texts = reading.as_text(pa.array(xs)).to_pylist()
    np.testing.assert_array_equal(np.array([float(text) for text in texts]).astype(xs.dtype), xs)
    assert all("e" not in text for text, x in zip(texts, xs.tolist(), strict=True) if x % 1 == 0 and abs(x) < 2**63)


WIDTHS = {pa.float16(): 11, pa.float32(): 24, pa.float64(): 53}


def inexact(array: pa.Array) -> str | None:
    """Why the texts of these cells are no ids."""
    batch = pa.record_batch([array], names=["a"])
    parsed = reader("parquet").parse(reading.Block(Path("a.parquet"), batch, 1, 0), ["a"])
    return parsed.inexact.get("a")


@pytest.mark.parametrize("kind", WIDTHS, ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_floats_are_ids_as_far_as_their_width_tells_whole_numbers_apart(kind, sign):
    limit = sign * 2 ** WIDTHS[kind]
    beside = [None, float("nan"), float("inf"), -float("inf"), 0.5]
    below, at = (pa.array([*beside, float(x)]).cast(kind) for x in (limit - sign, limit))
    assert inexact(below) is None
    for array in (at, at.dictionary_encode()):
        assert inexact(array).startswith(f"floats of 2^{WIDTHS[kind]} and more")
        assert "store integers or text" in inexact(array)
    assert inexact(pa.array([limit], pa.int64())) is None


def test_infinities_are_left_to_the_field(tmp_path):
    assert read_path(written(tmp_path, {"a": [float("inf"), 1.0]}), ["a"]).rows == [("inf",), ("1",)]


def test_columns_are_found_by_name_and_all_names_differ(tmp_path):
    path = written(tmp_path, {"user.id": ["a"], "user": ["b"]})
    assert read_path(path, ["user.id", "user"]).rows == [("a", "b")]
    with pytest.raises(UserError, match=r"a\.parquet: no column 'usr'.* did you mean 'user'"):
        read_path(path, ["usr"])
    parquet.write_table(pa.table([pa.array([1]), pa.array([2])], names=["x", "x"]), path)
    with pytest.raises(UserError, match="columns must differ; repeated: x"):
        read_path(path, ["x"])


def test_a_file_that_is_no_parquet_is_refused_by_name(tmp_path):
    (tmp_path / "a.parquet").write_text("label,user\n1,a\n")
    with pytest.raises(UserError, match=r"a\.parquet: .*not a parquet file"):
        read_path(tmp_path / "a.parquet", ["user"])


def damage(content: bytes, numbers: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(numbers.choice([1, 2, 5])):
        changed[numbers.randrange(len(changed))] ^= 1 << numbers.randrange(8)
    return bytes(changed[: numbers.choice([len(changed), numbers.randrange(len(changed))])])


def test_damaged_files_are_read_or_refused_by_name(tmp_path):
    columns = {"label": [1, 0] * 50, "user": [f"u{i % 7}" for i in range(100)]}
    path, raised = written(tmp_path, columns, row_group_size=30), []
    content = path.read_bytes()
    for seed in range(600):
        path.write_bytes(damage(content, random.Random(seed)))
        try:
            read_path(path, ["label", "user"])
        except Exception as error:
            raised.append(error)
    assert len(raised) > 300
    assert [error for error in raised if not isinstance(error, UserError) or "a.parquet" not in str(error)] == []
