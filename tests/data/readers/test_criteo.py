"""Tables of tabs, and Criteo's click logs as they are given out: no header, tabs, quotes are letters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.readers import READERS, reader
from ctr.data.readers.csv import CSV
from ctr.errors import UserError
from tests.data.readers.reading import SHARE_FOLDER, read

NAMES = ["label", *(f"I{i}" for i in range(1, 14)), *(f"C{i}" for i in range(1, 27))]
CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\t\n\r"), max_size=3)
LINES = st.lists(CELL, min_size=40, max_size=40)
SHORT = st.lists(CELL, min_size=2, max_size=39)
LONG = st.lists(CELL, min_size=41, max_size=43)


def test_the_columns_are_the_label_13_numbers_and_26_tokens(tmp_path):
    assert reader("criteo").names(tmp_path) == NAMES
    row = ["1", *map(str, range(13)), *(f"{i:08x}" for i in range(26))]
    assert read(tmp_path, "\t".join(row) + "\n", NAMES, "criteo").rows == [tuple(row)]


@SHARE_FOLDER
@given(st.lists(LINES | SHORT | LONG, max_size=6), st.booleans(), st.none() | st.integers(3, 200))
def test_lines_of_40_cells_are_rows_as_they_stand_and_others_rejects(tmp_path, lines, last, size):
    lines = [["x"] * 40, *lines, ["y"] * 40]
    text = "\n".join("\t".join(line) for line in lines) + "\n" * last
    if size is not None:
        lines = [line for line in lines if len(line) == 40]
        text = "\n".join("\t".join(line) for line in lines) + "\n" * last
    found = read(tmp_path, text, NAMES, "criteo", size=size)
    good = [(number, tuple(line)) for number, line in enumerate(lines, start=1) if len(line) == 40]
    bad = [(number, len(line)) for number, line in enumerate(lines, start=1) if len(line) != 40]
    assert list(zip(found.lines, found.rows, strict=True)) == good
    expected = [(number, f"expected 40 columns, found {count}") for number, count in bad]
    assert [(reject.line, reject.reason) for reject in found.rejects] == expected


def test_tsv_has_a_header_and_quotes_are_letters_unless_told(tmp_path):
    text = 'a\tb\n5" pipe\t"x"\n"x\ty"\t2\n'
    found = read(tmp_path, text, ["a", "b"], "tsv")
    assert (found.rows, [reject.line for reject in found.rejects]) == ([('5" pipe', '"x"')], [3])
    found = read(tmp_path, text, ["a", "b"], {"format": "tsv", "quote": '"'})
    assert (found.rows, [reject.line for reject in found.rejects]) == ([("x\ty", "2")], [2])
    assert read(tmp_path, "1\t2\n", ["b"], {"format": "tsv", "columns": ["a", "b"]}).rows == [("2",)]


def test_criteo_has_no_options():
    with pytest.raises(UserError, match="criteo has no option 'quote', it has none"):
        reader({"format": "criteo", "quote": '"'})


def test_every_format_has_its_file():
    assert set(READERS) == {"csv", "tsv", "parquet", "libfm", "libsvm", "libffm", "criteo"}
    assert issubclass(READERS["criteo"], CSV)
