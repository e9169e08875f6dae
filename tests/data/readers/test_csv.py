"""Strict reading of CSV: every cell as the text that stands there, every row kept or accounted for by its line."""

import bz2
import csv
import gzip
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctr.data.columns.base import numbers
from ctr.data.readers import reader
from ctr.errors import UserError
from tests.data.readers.reading import SHARE_FOLDER, Found, read

SIZES = st.none() | st.integers(3, 40)  # bytes a block


def cells(folder: Path, content: str | bytes, columns: list[str], delimiter: str = ",", **options) -> dict:
    """The columns of a file without rejects."""
    found = read(folder, content, columns, {"format": "csv", "delimiter": delimiter}, **options)
    assert found.rejects == []
    return {column: [row[i] for row in found.rows] for i, column in enumerate(columns)}


@pytest.mark.parametrize(
    "cell", ["NA", "nan", "NULL", "null", "None", "N/A", "#N/A", "true", "1e5", "0012", " a ", "-"]
)
def test_text_that_others_guess_about_stays_as_it_is(tmp_path, cell):
    assert cells(tmp_path, f"a,b\n{cell},1\n", ["a"]) == {"a": [cell]}


def test_numbers_stay_text(tmp_path):
    huge = ["9007199254740993", "99999999999999999999", "1.10", "+5"]
    assert cells(tmp_path, "a,b\n" + "".join(f"{cell},\n" for cell in huge), ["a"]) == {"a": huge}


def test_empty_cells_are_empty_text(tmp_path):
    assert cells(tmp_path, 'a,b\n,\n"",x\n', ["a", "b"]) == {"a": ["", ""], "b": ["", "x"]}


def test_only_the_asked_columns_come_in_the_asked_order(tmp_path):
    assert list(cells(tmp_path, "a,b,c\n1,2,3\n", ["c", "a"]).items()) == [("c", ["3"]), ("a", ["1"])]


@pytest.mark.parametrize("delimiter", ["\t", ";", "|", " "])
def test_other_delimiters(tmp_path, delimiter):
    text = delimiter.join(["a", "b"]) + "\n" + delimiter.join(["1,5", "x"]) + "\n"
    assert cells(tmp_path, text, ["a", "b"], delimiter) == {"a": ["1,5"], "b": ["x"]}


def test_quotes_hold_delimiters_quotes_and_newlines(tmp_path):
    assert cells(tmp_path, 'a,b\n"x, ""y""\nz",2\n', ["a", "b"]) == {"a": ['x, "y"\nz'], "b": ["2"]}


def test_quoted_column_names(tmp_path):
    assert cells(tmp_path, '"a, b","c\n""d"""\n1,2\n', ["a, b", 'c\n"d"']) == {"a, b": ["1"], 'c\n"d"': ["2"]}


def test_names_from_the_config_for_files_without_a_header(tmp_path):
    found = read(tmp_path, "1,2\n3,4\n5\n", ["b"], {"format": "csv", "columns": ["a", "b"]})
    assert (found.rows, found.lines, found.rejects[0].line) == ([("2",), ("4",)], [1, 2], 3)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path, end, last):
    assert cells(tmp_path, f"a,b{end}1,2{end}3,4{end if last else ''}", ["b"]) == {"b": ["2", "4"]}


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    assert cells(tmp_path, b"\xef\xbb\xbfa,b\n1,2\n", ["a"]) == {"a": ["1"]}  # as Excel saves "CSV UTF-8"


def test_a_file_of_several_blocks_keeps_all_rows_in_order(tmp_path):
    rows = [f"row {i}" for i in range(20_000)]
    assert cells(tmp_path, "a,b\n" + "".join(f"{row},x\n" for row in rows), ["a"], size=50_000) == {"a": rows}


def test_newlines_in_quotes_are_read_in_files_of_several_blocks_too(tmp_path):
    rows = [f"row\n{i}" for i in range(20_000)]
    assert cells(tmp_path, "a,b\n" + "".join(f'"{row}",x\n' for row in rows), ["a"], size=50_000) == {"a": rows}


def test_a_short_row_far_down_is_named_by_its_line(tmp_path):
    found = read(tmp_path, "a,b\n" + "1,2\n" * 100_000 + "3\n", ["a"])
    assert (len(found.rows), found.rejects) == (100_000, [(100_002, "expected 2 columns, found 1", "3")])


# --- compressed files ---

PLAIN = b"a,b\n" + b"".join(b"%d,%d\n" % (i, i * 7919 % 1_000_003) for i in range(3000))
PACKED = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("size", [None, 1000])
def test_compressed_files(tmp_path, suffix, size):
    plain = read(tmp_path, PLAIN, ["a", "b"])
    assert read(tmp_path, PACKED[suffix](PLAIN), ["a", "b"], name=f"a.csv{suffix}", size=size) == plain


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("cut", [2, 4, 7, 10], ids=["in the header", "after it", "in a letter", "at a row's end"])
def test_compressed_files_of_several_members(tmp_path, suffix, cut):
    text = b"a,b\nx,\xc3\xa9\ny,2\n"
    members = PACKED[suffix](text[:cut]) + PACKED[suffix](text[cut:])
    assert cells(tmp_path, members, ["a", "b"], name=f"a.csv{suffix}") == {"a": ["x", "y"], "b": ["é", "2"]}


BROKEN = {
    "cut in the middle": lambda content: content[: len(content) // 2],
    "cut by one byte": lambda content: content[:-1],
    "cut in the first bytes": lambda content: content[:5],
    "flipped in the middle": lambda content: (
        content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 255]) + content[len(content) // 2 + 1 :]
    ),
    "garbage after it": lambda content: content + b"garbage",
    "not compressed": lambda content: PLAIN,
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
def test_a_broken_compressed_file_is_refused_by_name(tmp_path, suffix, case):
    with pytest.raises(UserError, match=rf"a\.csv{suffix}: "):
        read(tmp_path, BROKEN[case](PACKED[suffix](PLAIN)), ["a"], name=f"a.csv{suffix}", size=1000)


# --- the csv module as the reference ---

LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=4)
CELLS = LETTERS | st.sampled_from(["", '"', '""', "\n", ",", 'a"b', "\r\n", "\r", "é\U0001f600", "\ufeff", "\0"])


@SHARE_FOLDER
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=8),
    delimiter=st.sampled_from([",", ";", "\t", "|", " "]),
    end=st.sampled_from(["\n", "\r\n"]),
    every=st.booleans(),
    last=st.booleans(),
    bom=st.booleans(),
    size=SIZES,
)
@example([('"', "\r\n", "")], ",", "\n", False, False, False, 10)
@example([("\ufeff", "", "")], ",", "\n", False, False, False, None)
def test_every_valid_file_is_read_as_the_csv_module_reads_it(tmp_path, rows, delimiter, end, every, last, bom, size):
    def written(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if every or {*cell} & {delimiter, '"', "\r", "\n"} else cell

    records = [delimiter.join(map(written, row)) + end for row in [("a", "b", "c"), *rows]]
    text = "".join(records) if last else "".join(records).removesuffix(end)
    reference = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    content = b"\xef\xbb\xbf" * bom + text.encode()
    found = read(tmp_path, content, ["a", "b", "c"], {"format": "csv", "delimiter": delimiter}, size=size)
    assert found.rejects == []
    assert [list(row) for row in found.rows] == reference[1:]
    assert found.lines == [1 + "".join(records[: i + 1]).count("\n") for i in range(len(rows))]


# --- damage ---

GOOD = st.tuples(
    st.sampled_from(["1", "0", '"a,b"', '"x\ny"', '"say ""hi"""', '"\r\n\r\n"', "é", ""]),
    st.sampled_from(["2", "\U0001f600", '"é\n"', "NA", ""]),
).map(lambda row: (",".join(row) + "\n").encode())
RAGGED = [b"1\n", b"1,2,3\n", b"short\r\n", b",,,,\n"]
NOT_UTF_8 = [b"1,\xff\n", b"\xc3,2\n", b"\xed\xa0\x80,1\n"]
STRAY = [b'5" pipe,1\n', b'a"b"c,1\n', b'1,"x"y\n', b'1, "x"\n', b'"a"b"c",1\n']
BOTH = [b"\xff\n", b"1,2,\xff\n", b'a"b\n', b'1,2,"x"y\n', b'\xff"\xff\n', b'1,"\xff\n"\n']  # two things at once


def check_damaged(folder: Path, records: list[tuple[bool, bytes]], size: int | None) -> None:
    """Rows in are rows out and rejects: the good ones in order, the damaged ones by their lines."""
    content, lines = b"a,b\n", []
    for _, record in records:
        lines.append(1 + content.count(b"\n"))
        content += record
    good = [(line, record) for line, (whole, record) in zip(lines, records, strict=True) if whole]
    bad = [line for line, (whole, _) in zip(lines, records, strict=True) if not whole]
    found = read(folder, content, ["a", "b"], size=size)
    text = b"".join(record for _, record in good).decode()
    assert [list(row) for row in found.rows] == list(csv.reader(io.StringIO(text, newline="")))
    assert found.lines == [line for line, _ in good]
    assert [reject.line for reject in found.rejects] == bad


@pytest.mark.parametrize("damage", [*RAGGED, *NOT_UTF_8, *STRAY])
@pytest.mark.parametrize("place", [0, 1, 3])
def test_a_damaged_row_is_left_out_alone(tmp_path, damage, place):
    records = [(True, record) for record in (b"1,2\n", b'"x\ny",2\n', b"3,\xc3\xa9\n")]
    check_damaged(tmp_path, [*records[:place], (False, damage), *records[place:]], None)


@pytest.mark.parametrize("damage", [*RAGGED, *NOT_UTF_8, *STRAY])
def test_a_damaged_row_among_others_of_its_kind(tmp_path, damage):
    check_damaged(tmp_path, [(True, b"1,2\n"), (False, damage), (False, damage), (True, b"3,4\n")] * 3, None)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_blank_line_is_accounted_for_and_shifts_no_other(tmp_path, end):
    found = read(tmp_path, end.join([b"a,b", b"1,2", b"", b"3", b"", b"", b"5,6", b"7", b""]), ["a", "b"])
    whole = {line: row for line, row in zip(found.lines, found.rows, strict=True) if row != ("", "")}
    assert whole == {2: ("1", "2"), 7: ("5", "6")}
    assert sorted([*found.lines, *(reject.line for reject in found.rejects)]) == [2, 3, 4, 5, 6, 7, 8]


DAMAGED = st.lists(
    st.tuples(st.just(True), GOOD) | st.tuples(st.just(False), st.sampled_from(RAGGED + NOT_UTF_8 + STRAY + BOTH)),
    max_size=8,
)


@settings(SHARE_FOLDER, max_examples=150)
@given(DAMAGED, SIZES)
@example([(False, b"1\n")], None)
@example([(True, b"1,2\n"), (False, b"\xff\n")], None)
@example([(True, b"1,1\n"), (False, b'x"y1,2\n'), (True, b"5,6\n")], 13)
def test_rows_in_are_rows_out_and_rejects_wherever_blocks_end(tmp_path, records, size):
    check_damaged(tmp_path, records, size)


@SHARE_FOLDER
@given(DAMAGED, st.sampled_from([b'"never closed,1\n', b'1,"never closed\n', b'"\n']))
def test_a_quote_that_is_never_closed_rejects_its_line_only(tmp_path, records, last):
    plain = [(whole, record) for whole, record in records if b'"' not in record and b"\xff" not in record]
    check_damaged(tmp_path, [(True, b"1,2\n"), *plain, (False, last), (True, b"3,4\n")], None)


@settings(SHARE_FOLDER, max_examples=150)
@given(
    st.binary(max_size=40)
    | st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r", b"\r\n", b"\xff", b"\xc3\xa9", b"\0"])).map(b"".join),
    st.sampled_from(["csv", "tsv", {"format": "csv", "columns": ["a", "b"]}, {"format": "csv", "quote": None}]),
    SIZES,
)
@example(b"1\n", "csv", None)
@example(b'1,"2"\r1\r', "csv", None)
def test_any_bytes_are_rows_or_rejects_or_a_user_error(tmp_path, content, spec, size):
    header = {"csv": b"a,b\n", "tsv": b"a\tb\n"}.get(spec, b"") if isinstance(spec, str) else b""
    content = header + content
    found, told = Found([], [], []), "a.csv"
    try:
        found = read(tmp_path, content, ["a", "b"], spec, size=size)
    except UserError as error:
        told = str(error)
    assert "a.csv" in told
    last = content.count(b"\n") + content.count(b"\r") + 1
    assert all(1 <= line <= last for line in [*found.lines, *(reject.line for reject in found.rejects)])


# --- options and headers ---

OPTIONS = {
    "an empty delimiter": ({"delimiter": ""}, "delimiter must be one character, found ''"),
    "two letters": ({"delimiter": "||"}, "delimiter must be one character"),
    "a letter of two bytes": ({"delimiter": "é"}, "delimiter must be one character"),
    "no text": ({"delimiter": 1}, "delimiter must be one character, found 1"),
    "the delimiter as quote": ({"quote": ","}, "quote must be null or one character other than the delimiter"),
    "an empty quote": ({"quote": ""}, "quote must be null or one character"),
    "an unknown option": ({"delimeter": ";"}, "no option 'delimeter'.*did you mean 'delimiter'"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_options_that_cannot_be_are_refused(case):
    options, told = OPTIONS[case]
    with pytest.raises(UserError, match=told):
        reader({"format": "csv"} | options)


@pytest.mark.parametrize(
    "options", [{"delimiter": "\n"}, {"delimiter": "\r"}, {"quote": "\n"}, {"columns": 5}, {"columns": "abc"}], ids=str
)
def test_options_that_no_table_can_have_are_refused(options):
    with pytest.raises(UserError, match="|".join(options)):
        reader({"format": "csv"} | options)


HEADERS = {
    "empty": ("", "the file is empty; expected a line of column names"),
    "blank": ("\na,b\n1,2\n", "the file is empty; expected a line of column names"),
    "not UTF-8": (b"a,\xff\n1,2\n", "column names is not UTF-8"),
    "UTF-16": ("a,b\n1,2\n".encode("utf-16"), "column names is not UTF-8"),
    "a name twice": ("a,b,a\n1,2,3\n", "columns must differ; repeated: a"),
    "an unread name twice": ("a,b,x,x\n1,2,3,4\n", "columns must differ; repeated: x"),
    "without a column": ("a,bb\n1,2\n", "no column 'b'; the file has a, bb; did you mean 'bb'"),
}


@pytest.mark.parametrize("case", HEADERS)
def test_a_header_that_names_no_table_is_refused(tmp_path, case):
    content, told = HEADERS[case]
    with pytest.raises(UserError, match=rf"a\.csv: .*{told}"):
        read(tmp_path, content, ["a", "b"])


def test_a_header_alone_is_a_file_without_rows(tmp_path):
    for content in ("a,b", "a,b\n", "a,b\r\n"):
        assert read(tmp_path, content, ["a"]) == ([], [], [])


def test_an_unknown_format_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"criteo, csv, .*found 'cvs'; did you mean 'csv'"):
        reader("cvs")


# --- numbers ---


def texts(*xs: str) -> pa.DictionaryArray:
    return pa.array(xs, pa.string()).dictionary_encode()


@given(st.lists(st.none() | st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=20))
@example([1e-45, -0.0, 3.4028234663852886e38])
def test_every_finite_number_is_read_back(xs):
    staged = numbers(texts(*("" if x is None else repr(x) for x in xs)))
    assert (staged.array.to_pylist(), staged.problems) == (xs, [])


@given(st.lists(st.text(max_size=6) | st.floats().map(repr) | st.sampled_from([" 1", "1 ", "", "-", "1e", "0x1"])))
def test_numbers_agree_with_python_or_are_problems(xs):
    staged = numbers(texts(*xs))
    wrong = {row for problem in staged.problems for row in problem.rows.tolist()}
    for row, (x, text) in enumerate(zip(staged.array.to_pylist(), xs, strict=True)):
        if row not in wrong:
            assert x == (float(text) if text.strip() else None)
            assert x is None or abs(x) <= 3.4028234663852886e38


@pytest.mark.parametrize("wrong", ["x", "nan", "inf", "-Infinity", "1_0", "1,5", "NA", "1e39"])
def test_every_cell_that_is_no_number_of_32_bits_is_a_problem(wrong):
    (problem,) = numbers(texts("1", "", wrong, "2", wrong)).problems
    assert problem.rows.tolist() == [2, 4]
    assert "expected a" in problem.reason
