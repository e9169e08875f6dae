"""Strict reading: every cell as the text that stands there, every row, and errors that say where."""

import bz2
import gzip
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctr.data.reader import Place, numbers, read_columns
from ctr.errors import UserError


def read(folder: Path, text: str | bytes, columns: list[str], delimiter: str = ",", name: str = "a.csv") -> dict:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_columns(folder / name, columns, delimiter).to_pydict()


@pytest.mark.parametrize(
    "cell", ["NA", "nan", "NULL", "null", "None", "N/A", "#N/A", "true", "1e5", "0012", " a ", "-"]
)
def test_text_that_others_guess_about_stays_as_it_is(tmp_path, cell):
    assert read(tmp_path, f"a,b\n{cell},1\n", ["a"]) == {"a": [cell]}


def test_numbers_stay_text(tmp_path):
    huge = ["9007199254740993", "99999999999999999999", "1.10", "+5"]
    assert read(tmp_path, "a,b\n" + "".join(f"{cell},\n" for cell in huge), ["a"]) == {"a": huge}


def test_empty_cells_are_empty_text(tmp_path):
    assert read(tmp_path, 'a,b\n,\n"",x\n', ["a", "b"]) == {"a": ["", ""], "b": ["", "x"]}


def test_only_the_asked_columns_come_in_the_asked_order(tmp_path):
    table = read(tmp_path, "a,b,c\n1,2,3\n", ["c", "a"])
    assert list(table.items()) == [("c", ["3"]), ("a", ["1"])]


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", " "])
def test_other_delimiters(tmp_path, delimiter):
    text = delimiter.join(["a", "b"]) + "\n" + delimiter.join(["1,5", "x"]) + "\n"
    assert read(tmp_path, text, ["a", "b"], delimiter) == {"a": ["1,5"], "b": ["x"]}


def test_quotes_hold_delimiters_quotes_and_newlines(tmp_path):
    assert read(tmp_path, 'a,b\n"x, ""y""\nz",2\n', ["a", "b"]) == {"a": ['x, "y"\nz'], "b": ["2"]}


def test_quoted_column_names(tmp_path):
    assert read(tmp_path, '"a, b",c\n1,2\n', ["a, b"]) == {"a, b": ["1"]}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path, end, last):
    assert read(tmp_path, f"a,b{end}1,2{end}3,4{end if last else ''}", ["b"]) == {"b": ["2", "4"]}


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n", ["a"]) == {"a": ["1"]}  # as Excel saves "CSV UTF-8"


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_compressed_files(tmp_path, suffix, pack):
    assert read(tmp_path, pack(b"a,b\nx,\xc3\xa9\n"), ["b"], name=f"a.csv{suffix}") == {"b": ["é"]}


def test_a_file_of_several_blocks_keeps_all_rows_in_order(tmp_path):
    cells = [f"row {i}" for i in range(200_000)]  # 2.4 MB; blocks have 1 MB
    assert read(tmp_path, "a,b\n" + "".join(f"{cell},x\n" for cell in cells), ["a"]) == {"a": cells}


def test_newlines_in_quotes_are_read_in_files_of_several_blocks_too(tmp_path):
    cells = [f"row\n{i}" for i in range(200_000)]
    assert read(tmp_path, "a,b\n" + "".join(f'"{cell}",x\n' for cell in cells), ["a"]) == {"a": cells}


def test_a_short_row_far_down_is_named(tmp_path):
    text = "a,b\n" + "1,2\n" * 400_000 + "3\n"
    with pytest.raises(UserError, match=r"a\.csv.*#400002: Expected 2 columns, got 1"):
        read(tmp_path, text, ["a"])


# --- numbers ---

PLACE = Place(Path("a.csv"), "p")


def texts(*cells: str) -> pa.ChunkedArray:
    return pa.chunked_array([list(cells)], pa.string())


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), max_size=20))
@example([5e-324, -0.0, 1.7976931348623157e308])
def test_every_finite_number_is_read_back(xs):
    cells = texts(*("" if x is None else repr(x) for x in xs))
    assert numbers(cells, PLACE).to_pylist() == xs


@given(st.lists(st.text(max_size=6) | st.floats().map(repr) | st.sampled_from([" 1", "1 ", "", "-", "1e", "0x1"])))
def test_numbers_agree_with_python_or_refuse(cells):
    found, refusal = None, ""
    try:
        found = numbers(texts(*cells), PLACE).to_pylist()
    except UserError as error:
        refusal = str(error)
    if found is None:
        assert "a.csv, column 'p', line " in refusal
        assert "expected a finite number, found" in refusal
    else:
        assert found == [float(cell) if cell.strip() else None for cell in cells]


@pytest.mark.parametrize("wrong", ["x", "nan", "inf", "-Infinity", "1_0", "1,5", "NA"])
def test_the_first_wrong_number_is_named_with_its_line(wrong):
    with pytest.raises(UserError, match=f"a.csv, column 'p', line 4: expected a finite number, found '{wrong}'"):
        numbers(texts("1", "", wrong, "y"), PLACE)
