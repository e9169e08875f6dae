"""libFM and libSVM text: every entry kept as it stands, and nothing read wrongly in silence."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctr.data import Table
from ctr.data.prepared import PreparedData
from ctr.data.readers import READERS, reader
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.readers.reading import SHARE_FOLDER, Found, read

FLOAT32_MAX = float(np.finfo(np.float32).max)


def lines_of(folder: Path, text: str | bytes, spec="libfm", **options) -> Found:
    return read(folder, text, ["label", "features"], spec, **{"name": "a.libfm"} | options)


def entries(found: Found) -> list[tuple[str, list[tuple[int, float]]]]:
    return [(label, [(entry["id"], entry["value"]) for entry in row]) for label, row in found.rows]


def open_libfm(folder: Path, rows: str, others: str | None = None, **changes) -> PreparedData:
    """A table of libFM text with train of these lines, and valid and test of the others, or the same without."""
    for split, text in {"train": rows, "valid": others, "test": others}.items():
        (folder / f"{split}.libfm").write_text(rows if text is None else text)
    files = {split: f"{split}.libfm" for split in ("train", "valid", "test")}
    starts = changes.pop("starts", None)
    nothing = dict.fromkeys(["split", "label_values", "group", "weight", "time", "fields", "negatives"])
    rest = {"label": "label", "labels": "binary", "missing": [], "bad_rows": "refuse", "window": 1000, "source": ""}
    places = {"root": str(folder), "cache": str(folder / "cache")}
    return Table(reader={"format": "libfm", "starts": starts}, **files | nothing | rest | places | changes).open()


def slots(data: PreparedData, split: str = "train") -> list[list[tuple[int, float]]]:
    """The used slots of every row, sorted."""
    batch = data.rows(split)
    pairs = [zip(ids, xs, strict=True) for ids, xs in zip(batch.ids.tolist(), batch.values.tolist(), strict=True)]
    return [sorted((i, x) for i, x in row if x != 0) for row in pairs]


# --- the file ---


def test_lines_by_hand(tmp_path):
    found = lines_of(tmp_path, "1 3:0.5 7:-2\n0\n1 12:1e-3\n")
    assert entries(found) == [("1", [(3, 0.5), (7, -2.0)]), ("0", []), ("1", [(12, 1e-3)])]
    assert (found.lines, found.rejects) == ([1, 2, 3], [])


def test_comments_blank_lines_and_white_space_are_no_rows(tmp_path):
    found = lines_of(tmp_path, "# a file\n\n1 3:1 # user 3\n   \n  0\t4:1  5:1 \n#1 9:1\n")
    assert entries(found) == [("1", [(3, 1.0)]), ("0", [(4, 1.0), (5, 1.0)])]
    assert (found.lines, found.rejects) == ([3, 5], [])


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path, end, last):
    found = lines_of(tmp_path, f"1 3:1{end}0 4:1{end if last else ''}")
    assert entries(found) == [("1", [(3, 1.0)]), ("0", [(4, 1.0)])]


def test_a_byte_order_mark_is_no_part_of_the_first_label(tmp_path):
    assert entries(lines_of(tmp_path, b"\xef\xbb\xbf1 3:1\n")) == [("1", [(3, 1.0)])]


def test_gzip(tmp_path):
    packed = lines_of(tmp_path, gzip.compress(b"1 3:1\n0 4:1\n"), name="a.libfm.gz")
    assert packed == lines_of(tmp_path, "1 3:1\n0 4:1\n")


def test_libsvm_is_libfm():
    assert READERS["libsvm"] is READERS["libfm"]


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ENTRIES = st.dictionaries(st.integers(0, 2**62), FLOATS, max_size=6)


@SHARE_FOLDER
@given(st.lists(st.tuples(FLOATS, ENTRIES), max_size=8), st.none() | st.integers(3, 60))
@example([(0.0, {2**53: 1.0, 2**53 + 1: 2.0, 2**62: -0.0, 2**63 - 1: 3.4028234663852886e38})], None)
def test_what_is_written_is_read_wherever_blocks_end(tmp_path, written, size):
    text = "".join(" ".join([repr(y), *(f"{i}:{x!r}" for i, x in row.items())]) + "\n" for y, row in written)
    found = lines_of(tmp_path, text, size=size)
    assert [(float(y), row) for y, row in entries(found)] == [(y, list(row.items())) for y, row in written]
    assert (found.lines, found.rejects) == (list(range(1, len(written) + 1)), [])


# --- damage ---

GOOD = st.sampled_from(["1 3:1", "0", "-1 4:0.5 5:-1e-50", "2.5 9223372036854775807:1", " 1\t3:1  4:2 ", "+1 7:1 # x"])
NO_ROWS = st.sampled_from(["", "   ", "# comment", "\t#1 3:1"])
DAMAGE = {
    "expected LABEL ID:VALUE": ["1 3:1:2", "1 3", "1 3:", "1 :1", "3:1 4:1", "1,3:1", "1 -3:1", "1 ann:1", "1 qid:7"],
    "expected ids below 2^63": ["1 9223372036854775808:1", f"1 {'9' * 5000}:1", "x 99999999999999999999:1"],
    "expected numbers": ["1 3:x", "yes 3:1", "1 3:1,5", '1 3:"1"', "1 3:0x1"],
    "finite": ["1 3:nan", "1 3:1 4:-inf", "1 3:1e39", "nan 3:1", "inf", "1e39 3:1"],
    "expected": ["1 3:1\0"],
    "twice": ["1 3:1 4:1 3:2", "1 3:1 03:1"],
}
DAMAGED = st.sampled_from([(line.encode(), reason) for reason, lines in DAMAGE.items() for line in lines])
NOT_UTF_8 = st.sampled_from([b"1 \xff:1", b"\xff", b"1 3:\xc3"]).map(lambda line: (line, "UTF-8"))
WHOLE = st.tuples((GOOD | NO_ROWS).map(str.encode), st.none())
RECORDS = st.lists(WHOLE | DAMAGED | NOT_UTF_8, max_size=8)


@settings(SHARE_FOLDER, max_examples=150)
@given(RECORDS, st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.none() | st.integers(3, 60))
def test_rows_in_are_rows_out_and_rejects(tmp_path, records, end, last, size):
    content = end.join(line for line, _ in records) + end * last
    found = lines_of(tmp_path, content, size=size)
    bare = [(n, line.partition(b"#")[0].split(), told) for n, (line, told) in enumerate(records, start=1)]
    good = [(n, tokens) for n, tokens, told in bare if told is None and tokens]
    assert found.lines == [n for n, _ in good]
    for (label, row), (_, tokens) in zip(entries(found), good, strict=True):
        pairs = [token.split(b":") for token in tokens[1:]]
        assert (label, row) == (tokens[0].decode(), [(int(i), float(x)) for i, x in pairs])
    bad = [(n, told) for n, _, told in bare if told is not None]
    assert [reject.line for reject in found.rejects] == [n for n, _ in bad]
    assert all(told in reject.reason for reject, (_, told) in zip(found.rejects, bad, strict=True))


LABELS = st.sampled_from(["0", "1", "-1", "2", "+1", "1e39", "inf", "nan", "", "\ufeff1", "٣", "\x1f", "\x1c1", "\0"])
RIGHT = st.sampled_from(["3:1", "4:0.5", "5:-1e-50", "9223372036854775807:1"])
WRONG = st.sampled_from(
    ["", "3", ":", "3:", ":1", "-3:1", "3:x", "3:1:2", "5:1e39", "6:nan", "9223372036854775808:1", "1_0:1", "٣:1", "#"]
)
LINES = st.tuples(
    LABELS, st.lists(RIGHT | RIGHT | WRONG | st.sampled_from(["3:1\x1f", "3:1\x1c2", "\x0b"]), max_size=4)
)


@settings(SHARE_FOLDER, max_examples=150)
@given(
    st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace"))
    | st.lists(LINES.map(lambda line: " ".join([line[0], *line[1]])), max_size=3).map(
        lambda all: "\n".join(all).encode()
    ),
    st.sampled_from(["libfm", {"format": "libfm", "starts": {"features": 3, "more": 4}}]),
)
@example(b"1\x1f 3:1\n", "libfm")
@example(b"1 3:1\x1c2\n", "libfm")
@example(b"\x1f\n", "libfm")
def test_any_bytes_are_rows_or_rejects(tmp_path, content, spec):
    found = lines_of(tmp_path, content, spec)
    last = content.count(b"\n") + 1
    numbers = [*found.lines, *(reject.line for reject in found.rejects)]
    assert len(numbers) == len(set(numbers))
    assert all(1 <= number <= last for number in numbers)
    for label, row in entries(found):
        assert abs(float(label)) <= FLOAT32_MAX
        assert all(i >= 0 and abs(x) <= FLOAT32_MAX for i, x in row)


# --- positions ---

POSITIONS = {"format": "libfm", "positions": {"price": "value", "shop": "id", "user": "id"}}
COLUMNS = ["label", "price", "shop", "user"]


def test_fields_by_their_place_in_the_row(tmp_path):
    found = read(tmp_path, "1 1:0.50 7:1 9:1\n0 1:-2e3 9:1 007:1\n", COLUMNS, POSITIONS)
    assert found.rows == [("1", "0.50", "7", "9"), ("0", "-2e3", "9", "7")]  # an id is a number, a value its text


def test_a_row_of_another_length_has_no_places(tmp_path):
    found = read(tmp_path, "1 1:1 7:1 9:1\n0 1:1 7:1\n0\n0 1:1 2:1 3:1 4:1\n1 1:2 8:1 9:1\n", COLUMNS, POSITIONS)
    assert found.rows == [("1", "1", "7", "9"), ("1", "2", "8", "9")]
    assert found.lines == [1, 5]
    assert [(reject.line, reject.text) for reject in found.rejects] == [
        (2, "0 1:1 7:1"),
        (3, "0"),
        (4, "0 1:1 2:1 3:1 4:1"),
    ]
    assert {reject.reason for reject in found.rejects} == {"expected 3 entries, one for each of reader.positions"}


def test_an_id_may_stand_at_two_places(tmp_path):
    found = read(tmp_path, "1 13:0.5 13:1 9:1\n0 1:1 7:1 9:1\n", COLUMNS, POSITIONS)
    assert found.rows == [("1", "0.5", "13", "9"), ("0", "1", "7", "9")]  # as in criteo-libsvm, where I13 is 13, too
    assert found.rejects == []


SPECS = {
    "both": ({"starts": {"a": 0}, "positions": {"a": "id"}}, "starts or positions, not both"),
    "a part that is none": ({"positions": {"a": "id", "b": "key"}}, "id or value, found 'key'"),
    "starts that fall": ({"starts": {"user": 10, "item": 0}}, "starts must rise"),
    "starts that stay": ({"starts": {"user": 0, "item": 0}}, "starts must rise"),
    "an unknown option": ({"start": {"user": 0}}, "no option 'start'.*did you mean 'starts'"),
}


@pytest.mark.parametrize("case", SPECS)
def test_options_that_cannot_be_are_refused(case):
    options, told = SPECS[case]
    with pytest.raises(UserError, match=told):
        reader({"format": "libfm"} | options)


@pytest.mark.parametrize("starts", [{"user": "a"}, {"user": 0, "item": "x"}, {"user": 0.5}, [0, 10]], ids=str)
def test_starts_are_whole_numbers_by_name(starts):
    with pytest.raises(UserError, match="starts"):
        reader({"format": "libfm", "starts": starts})


# --- labels ---


@pytest.mark.parametrize(
    ("written", "read_as"), [(["1", "0", "1"], [1, 0, 1]), (["+1", "-1", "1.0"], [1, 0, 1]), (["-1", "1"], [0, 1])]
)
def test_binary_labels_are_0_and_1_or_minus_1_and_1(tmp_path, written, read_as):
    data = open_libfm(tmp_path, "".join(f"{y} 3:1\n" for y in written))
    assert data.rows("train").labels.tolist() == read_as


def test_the_custom_of_the_labels_is_that_of_all_files_together(tmp_path):
    data = open_libfm(tmp_path, "1 3:1\n-1 4:1\n", "1 3:1\n1 3:1\n")
    assert data.rows("valid").labels.tolist() == [1, 1]
    with pytest.raises(UserError, match="labels must be 0 and 1, or -1 and 1; found -1, 0 and 1"):
        open_libfm(tmp_path, "1 3:1\n-1 4:1\n", "0 3:1\n1 3:1\n")


def test_real_labels_are_kept(tmp_path):
    data = open_libfm(tmp_path, "-1 3:1\n2.5 3:1\n1 3:1\n", labels="real")
    assert data.rows("train").labels.tolist() == [-1, 2.5, 1]


# --- fields ---

STARTS = {"user": 0, "tags": 10, "price": 20}
TRAIN = "1 4:1 12:1 10:0.5 20:2.5\n0 7:1 20:-1\n1 4:1 15:1\n"


def test_fields_by_their_starts(tmp_path):
    data = open_libfm(tmp_path, TRAIN, starts=STARTS)
    # user: 0 OOV, 1 is 4, 2 is 7; tags: 3 OOV, 4 is 10, 5 is 12, 6 is 15; price: 7 OOV, 8 is 20
    assert [(field.name, field.num_features, field.num_slots) for field in data.schema.fields] == [
        ("user", 3, 1),
        ("tags", 4, 2),
        ("price", 2, 1),
    ]
    assert slots(data) == [[(1, 1.0), (4, 0.5), (5, 1.0), (8, 2.5)], [(2, 1.0), (8, -1.0)], [(1, 1.0), (6, 1.0)]]


def test_the_kind_of_a_field_is_what_its_entries_are(tmp_path):
    data = open_libfm(tmp_path, TRAIN, starts=STARTS)
    kinds = [field.kind for field in data.schema.fields]
    assert kinds == [FieldKind.CATEGORICAL, FieldKind.MULTIVALUED, FieldKind.NUMERIC]


@pytest.mark.parametrize("others", ["1 4:0.5 20:1\n", "0 20:1\n"], ids=["another value", "no entry"])
def test_a_field_is_categorical_only_where_every_split_fills_its_slot_with_value_1(tmp_path, others):
    data = open_libfm(tmp_path, TRAIN, others, starts=STARTS)
    assert data.schema.fields[0].kind is not FieldKind.CATEGORICAL


def test_without_starts_all_ids_are_one_field(tmp_path):
    data = open_libfm(tmp_path, TRAIN)
    assert (data.schema.num_fields, data.schema.num_slots, data.schema.num_features) == (1, 4, 7)
    assert slots(data)[0] == [(1, 1.0), (3, 0.5), (4, 1.0), (6, 2.5)]


def test_the_order_of_entries_in_a_row_does_not_matter(tmp_path):
    turned = "1 20:2.5 10:0.5 4:1 12:1\n0 20:-1 7:1\n1 15:1 4:1\n"
    for starts in (STARTS, None):
        data, other = (open_libfm(tmp_path, text, starts=starts) for text in (TRAIN, turned))
        assert other.schema == data.schema
        assert slots(other) == slots(data)


def test_ids_that_train_has_not_are_the_oov_of_their_field(tmp_path):
    data = open_libfm(tmp_path, TRAIN, "1 5:1 12:1 11:1\n0 21:2\n", starts=STARTS)
    assert slots(data, "valid") == [[(0, 1.0), (3, 1.0), (5, 1.0)], [(7, 2.0)]]
    assert "user: ids that train has not, counted as OOV: 1 in valid" in data.summary
    assert "tags: ids that train has not, counted as OOV: 1 in valid, 1 in test" in data.summary
    assert "OOV" not in open_libfm(tmp_path, TRAIN, starts=STARTS).summary


def test_a_longer_row_of_valid_loses_nothing(tmp_path):
    data = open_libfm(tmp_path, TRAIN, "1 4:1 10:1 12:1 15:1\n0 7:1\n", starts=STARTS)
    assert slots(data, "valid") == [[(1, 1.0), (4, 1.0), (5, 1.0), (6, 1.0)], [(2, 1.0)]]


def test_unused_slots_have_value_0_and_an_id_of_their_field(tmp_path):
    data = open_libfm(tmp_path, TRAIN, starts=STARTS)
    batch = data.rows("train")
    assert batch.values[1].tolist().count(0.0) == 2
    for s, f in enumerate(data.schema.slot_fields):
        first = data.schema.offsets[f]
        assert ((batch.ids[:, s] >= first) & (batch.ids[:, s] < first + data.schema.fields[f].num_features)).all()


def test_ids_up_to_2_to_the_62_stay_apart(tmp_path):
    huge = [2**53, 2**53 + 1, 2**62 - 1, 2**62]
    rows = "".join(f"{k % 2} {i}:1\n" for k, i in enumerate(huge))
    data = open_libfm(tmp_path, rows, starts={"low": 0, "high": 2**60})
    assert slots(data) == [[(1, 1.0)], [(2, 1.0)], [(4, 1.0)], [(5, 1.0)]]


@settings(SHARE_FOLDER, max_examples=25)
@given(
    st.lists(st.dictionaries(st.integers(0, 30), st.sampled_from([1.0, 0.5, -2.0]), max_size=5), min_size=2, max_size=8)
)
def test_any_rows_come_back_through_their_fields(tmp_path, written):
    """Rows in are rows out, and ids decode: the n-th known id of a field has id n."""
    text = "".join(
        " ".join([str(k % 2), *(f"{i}:{x}" for i, x in row.items())]) + "\n" for k, row in enumerate(written)
    )
    data = open_libfm(tmp_path, text, starts=STARTS)
    bounds, known = [*STARTS.values(), 31], {i for row in written for i in row}
    number = {}
    for f, offset in enumerate(data.schema.offsets):
        mine = sorted(i for i in known if bounds[f] <= i < bounds[f + 1])
        number |= {offset + n: i for n, i in enumerate(mine, start=1)}
    assert [{number[i]: x for i, x in row} for row in slots(data)] == written
    assert torch.equal(data.rows("train").labels, torch.arange(len(written)) % 2)


@pytest.mark.parametrize("changes", [{"group": "usr"}, {"fields": {"usr": "entries"}}])
def test_a_column_that_libfm_text_has_not_is_refused_with_those_that_it_has(tmp_path, changes):
    with pytest.raises(UserError, match=r"no column 'usr'; the file has label, user, item"):
        open_libfm(tmp_path, "1 0:1 12:1\n0 1:1 12:1\n", starts={"user": 0, "item": 10}, **changes)
