"""libFFM text: LABEL FIELD:ID:VALUE, the fields named by their number."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctr.data.readers import reader
from ctr.errors import UserError
from tests.data.readers.reading import SHARE_FOLDER, Found, read

FFM = {"format": "libffm", "names": ["user", "item"]}


def lines_of(folder, content, **options) -> Found:
    return read(folder, content, ["label", "user", "item"], FFM, name="a.ffm", **options)


def fields(found: Found) -> list[list[list[tuple[int, float]]]]:
    return [[[(entry["id"], entry["value"]) for entry in cell] for cell in row[1:]] for row in found.rows]


def test_lines_by_hand(tmp_path):
    found = lines_of(tmp_path, "1 0:3:0.5 1:3:1\n-1 1:4:1 1:5:-2 0:9:1\n0 # nothing\n")
    assert [row[0] for row in found.rows] == ["1", "-1", "0"]
    assert fields(found) == [[[(3, 0.5)], [(3, 1.0)]], [[(9, 1.0)], [(4, 1.0), (5, -2.0)]], [[], []]]


def test_an_id_may_stand_in_two_fields_but_not_twice_in_one(tmp_path):
    found = lines_of(tmp_path, "1 0:3:1 1:3:1\n0 0:3:1 0:3:1\n")
    assert fields(found) == [[[(3, 1.0)], [(3, 1.0)]]]
    assert [(reject.line, "twice" in reject.reason) for reject in found.rejects] == [(2, True)]


def test_a_field_without_a_name_is_a_reject(tmp_path):
    found = lines_of(tmp_path, "1 0:3:1\n0 0:3:1 2:4:1 7:1:1\n1 1:3:1\n")
    assert found.lines == [1, 3]
    assert found.rejects == [(2, "expected fields below 2, as reader.names lists them", "field 2")]


ENTRY = st.tuples(
    st.integers(0, 1), st.integers(0, 2**63 - 1), st.floats(width=32, allow_nan=False, allow_infinity=False)
)
ROW = st.lists(ENTRY, max_size=5, unique_by=lambda entry: entry[:2])
DAMAGE = [
    "1 0:3",
    "1 0:3:x",
    "1 0:3:1:1",
    "x 0:3:1",
    "1 0:3:nan",
    "1 2:3:1",
    "1 0:9223372036854775808:1",
    "1 0:3:1 0:3:2",
]


@settings(SHARE_FOLDER, max_examples=100)
@given(st.lists(ROW | st.sampled_from(DAMAGE), max_size=8), st.none() | st.integers(3, 60))
def test_rows_in_are_rows_out_and_rejects_wherever_blocks_end(tmp_path, rows, size):
    def line(row) -> str:
        return row if isinstance(row, str) else " ".join(["1", *(f"{f}:{i}:{x!r}" for f, i, x in row)])

    found = lines_of(tmp_path, "".join(f"{line(row)}\n" for row in rows), size=size)
    good = {n: row for n, row in enumerate(rows, start=1) if not isinstance(row, str)}
    assert found.lines == list(good)
    assert fields(found) == [[[(i, x) for g, i, x in row if g == f] for f in (0, 1)] for row in good.values()]
    assert [reject.line for reject in found.rejects] == [n for n in range(1, len(rows) + 1) if n not in good]


LETTERS = st.sampled_from([b"1", b"0", b" ", b":", b"\n", b"\xff", b"0:1:1", b"1:2:0.5", b"\r\n", b"#", b"-", b"."])


@settings(SHARE_FOLDER, max_examples=100)
@given(st.lists(LETTERS, max_size=25).map(b"".join))
def test_any_bytes_are_rows_or_rejects(tmp_path, content):
    found = lines_of(tmp_path, content)
    numbers = [*found.lines, *(reject.line for reject in found.rejects)]
    assert len(numbers) == len(set(numbers)) <= content.count(b"\n") + 1


@pytest.mark.parametrize("names", [[], ["user", "user"]], ids=["none", "twice"])
def test_names_are_all_different(names):
    with pytest.raises(UserError, match="must list different names"):
        reader({"format": "libffm", "names": names})


@pytest.mark.parametrize(
    "spec", ["libffm", {"format": "libffm", "names": "user"}, {"format": "libffm", "names": 3}], ids=str
)
def test_names_are_a_list(spec):
    with pytest.raises(UserError, match="names"):
        reader(spec)
