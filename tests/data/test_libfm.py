"""libFM text: every entry kept as it stands, train decides what is known, and nothing is read wrongly in silence."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ctr.data import LibFM
from ctr.data.libfm import SparseRows, read_libfm
from ctr.data.module import InMemoryData
from ctr.errors import UserError
from ctr.schema import FieldKind

SHARE_FOLDER = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(folder: Path, text: str | bytes, labels: str = "binary", name: str = "a.libfm") -> SparseRows:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_libfm(folder / name, labels)


def entries(parsed: SparseRows) -> list[tuple[float, list[tuple[int, float]]]]:
    pairs = iter(zip(parsed.ids.tolist(), parsed.values.tolist(), strict=True))
    return [(y, [next(pairs) for _ in range(n)]) for y, n in zip(parsed.labels, parsed.lengths, strict=True)]


def open_libfm(folder: Path, rows: str, others: str | None = None, **changes) -> InMemoryData:
    """A LibFM with train of these lines, and valid and test of the others, or of the same where none are given."""
    for split, text in {"train": rows, "valid": others, "test": others}.items():
        (folder / f"{split}.libfm").write_text(rows if text is None else text)
    files = {split: f"{split}.libfm" for split in ("train", "valid", "test")}
    rest = {"root": str(folder), "labels": "binary", "starts": None, "source": ""}
    return LibFM(**files | rest | changes).open()


def slots(data: InMemoryData, split: str = "train") -> list[list[tuple[int, float]]]:
    """The used slots of every row, sorted."""
    batch = data.splits[split]
    pairs = [zip(ids, xs, strict=True) for ids, xs in zip(batch.ids.tolist(), batch.values.tolist(), strict=True)]
    return [sorted((i, x) for i, x in row if x != 0) for row in pairs]


# --- the file ---


def test_lines_by_hand(tmp_path):
    parsed = read(tmp_path, "1 3:0.5 7:-2\n0\n1 12:1e-3\n")
    assert entries(parsed) == [
        (1.0, [(3, 0.5), (7, -2.0)]),
        (0.0, []),
        (1.0, [(12, float(np.float32(1e-3)))]),
    ]


def test_comments_blank_lines_and_white_space_are_no_rows(tmp_path):
    text = "# a file\n\n1 3:1 # user 3\n   \n  0\t4:1  5:1 \n#1 9:1\n"
    assert entries(read(tmp_path, text)) == [(1.0, [(3, 1.0)]), (0.0, [(4, 1.0), (5, 1.0)])]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path, end, last):
    assert entries(read(tmp_path, f"1 3:1{end}0 4:1{end if last else ''}")) == [(1.0, [(3, 1.0)]), (0.0, [(4, 1.0)])]


def test_a_byte_order_mark_is_no_part_of_the_first_label(tmp_path):
    assert entries(read(tmp_path, b"\xef\xbb\xbf1 3:1\n")) == [(1.0, [(3, 1.0)])]


def test_gzip(tmp_path):
    assert entries(read(tmp_path, gzip.compress(b"1 3:1\n0 4:1\n"), name="a.libfm.gz")) == entries(
        read(tmp_path, "1 3:1\n0 4:1\n")
    )


@pytest.mark.parametrize(
    ("written", "read_as"),
    [(["1", "0", "1"], [1, 0, 1]), (["+1", "-1", "1.0"], [1, 0, 1]), (["-1"], [0]), (["1"], [1])],
)
def test_binary_labels_are_0_and_1_or_minus_1_and_1(tmp_path, written, read_as):
    parsed = read(tmp_path, "".join(f"{y} 3:1\n" for y in written))
    assert parsed.labels.tolist() == read_as


def test_real_labels_are_kept(tmp_path):
    assert read(tmp_path, "-1 3:1\n2.5 3:1\n1 3:1\n", labels="real").labels.tolist() == [-1, 2.5, 1]


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
ENTRIES = st.dictionaries(st.integers(0, 2**62), FLOATS, max_size=6)


@SHARE_FOLDER
@given(st.lists(st.tuples(FLOATS, ENTRIES), max_size=8))
@example([(0.0, {2**53: 1.0, 2**53 + 1: 2.0, 2**62: -0.0, 2**63 - 1: 3.4028234663852886e38})])
def test_what_is_written_is_read(tmp_path, written):
    text = "".join(" ".join([repr(y), *(f"{i}:{x!r}" for i, x in row.items())]) + "\n" for y, row in written)
    assert entries(read(tmp_path, text, "real")) == [(y, list(row.items())) for y, row in written]


def parses_or_refuses(folder: Path, text: str | bytes, labels: str) -> None:
    parsed, refusal = None, ""
    try:
        parsed = read(folder, text, labels)
    except UserError as error:
        refusal = str(error)
    if parsed is None:
        assert "a.libfm" in refusal
        return
    assert len(parsed.ids) == len(parsed.values) == parsed.lengths.sum()
    assert len(parsed.labels) == len(parsed.lengths)
    assert (parsed.ids >= 0).all()
    assert np.isfinite(parsed.values).all()
    assert np.isfinite(np.float32(parsed.labels)).all()


@SHARE_FOLDER
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_parse_or_are_refused(tmp_path, content):
    parses_or_refuses(tmp_path, content, "real")


LABELS = st.sampled_from(["0", "1", "-1", "2", "+1", "1e39", "inf", "nan", "", "\ufeff1", "٣", "\x1f", "\0"])
RIGHT = st.sampled_from(["3:1", "4:0.5", "5:-1e-50", "9223372036854775807:1"])
WRONG = st.sampled_from(
    ["", "3", ":", "3:", ":1", "-3:1", "3:x", "3:1:2", "5:1e39", "6:nan", "9223372036854775808:1", "1_0:1", "٣:1", "#"]
)
LINES = st.tuples(LABELS, st.lists(RIGHT | RIGHT | WRONG, max_size=4)).map(lambda line: " ".join([line[0], *line[1]]))


@settings(SHARE_FOLDER, max_examples=300)
@given(st.lists(LINES, max_size=3).map("\n".join), st.sampled_from(["binary", "real"]))
def test_nearly_right_lines_parse_or_are_refused(tmp_path, text, labels):
    parses_or_refuses(tmp_path, text, labels)


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
    assert "tags: ids that train has not, counted as OOV: 1 in test" in data.summary
    assert "OOV" not in open_libfm(tmp_path, TRAIN, starts=STARTS).summary


def test_a_longer_row_of_valid_loses_nothing(tmp_path):
    data = open_libfm(tmp_path, TRAIN, "1 4:1 10:1 12:1 15:1\n0 7:1\n", starts=STARTS)
    assert slots(data, "valid") == [[(1, 1.0), (4, 1.0), (5, 1.0), (6, 1.0)], [(2, 1.0)]]


def test_unused_slots_have_value_0_and_an_id_of_their_field(tmp_path):
    data = open_libfm(tmp_path, TRAIN, starts=STARTS)
    batch = data.splits["train"]
    assert batch.values[1].tolist().count(0.0) == 2
    for s, f in enumerate(data.schema.slot_fields):
        first = data.schema.offsets[f]
        assert ((batch.ids[:, s] >= first) & (batch.ids[:, s] < first + data.schema.fields[f].num_features)).all()


def test_ids_up_to_2_to_the_62_stay_apart(tmp_path):
    huge = [2**53, 2**53 + 1, 2**62 - 1, 2**62]
    data = open_libfm(
        tmp_path, "".join(f"{k % 2} {i}:1\n" for k, i in enumerate(huge)), starts={"low": 0, "high": 2**60}
    )
    assert slots(data) == [[(1, 1.0)], [(2, 1.0)], [(4, 1.0)], [(5, 1.0)]]


@pytest.mark.parametrize("starts", [{"user": 10, "item": 0}, {"user": 0, "item": 0}])
def test_starts_have_to_rise(tmp_path, starts):
    with pytest.raises(UserError, match="starts must rise"):
        open_libfm(tmp_path, TRAIN, starts=starts)


@settings(SHARE_FOLDER, max_examples=50)
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
    assert torch.equal(data.splits["train"].labels, torch.arange(len(written)) % 2)
