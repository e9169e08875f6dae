"""Rows on disk are the rows that were written, however many shards and appends they came in."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctr.data import shards
from ctr.data.rows import Layout
from ctr.data.shards import Shards, ShardWriter, fingerprint
from tests.data.small import open_rows, row_numbers, rows, same

LAYOUT = Layout((0, 0, 9), (0, 1), (1, 2))
ARRAYS = {
    "ids": (np.dtype(np.uint16), 2),
    "values": (np.dtype(np.float32), 2),
    "labels": (np.dtype(np.float32), 0),
    "groups": (np.dtype(np.int64), 0),
    "weights": (np.dtype(np.float32), 0),
    "times": (np.dtype(np.float64), 0),
}


def written(count: int) -> dict[str, np.ndarray]:
    number = np.arange(count)
    pairs = np.stack([number % 60_000, number % 7], axis=1)
    return {
        "ids": pairs, "values": pairs / 2, "labels": number % 2, "groups": number + 2**40, "weights": number / 4,
        "times": number + 1.5e9 + 1e-6,
    }  # fmt: skip


def write(folder, arrays: dict[str, np.ndarray], cuts=()) -> tuple[ShardWriter, Shards]:
    count = len(arrays["labels"])
    writer = ShardWriter(folder, "train", count, ARRAYS)
    bounds = [0, *sorted(min(cut, count) for cut in cuts), count]
    for start, stop in pairwise(bounds):
        writer.append({name: array[start:stop] for name, array in arrays.items()})
    return writer, Shards([folder / name for name in writer.names], LAYOUT, lambda wait: None)


@pytest.fixture
def small_shards(monkeypatch):
    monkeypatch.setattr(shards, "SHARD_ROWS", 1024)


COUNTS = st.sampled_from([1, 1023, 1024, 1025, 2048, 3000])


@settings(max_examples=25, suppress_health_check=["function_scoped_fixture"])
@given(count=COUNTS, cuts=st.lists(st.integers(0, 3000), max_size=4), data=st.data())
def test_what_is_written_is_read(small_shards, tmp_path_factory, count, cuts, data):
    arrays = written(count)
    writer, read = write(tmp_path_factory.mktemp("shards"), arrays, cuts)
    assert len(read.parts) == -(-count // 1024)
    assert writer.names == [f"train-{i:05d}" for i in range(len(read.parts))]
    assert len(read) == count
    span = st.tuples(st.integers(0, count), st.integers(0, count)).map(sorted)
    spans = [tuple(span) for span in data.draw(st.lists(span, min_size=1, max_size=4)) if span[0] < span[1]]
    found = read.read([(0, count), *spans])
    taken = np.concatenate([np.arange(start, stop) for start, stop in [(0, count), *spans]])
    for name, stored in (("ids", found.ids), ("values", found.values), ("labels", found.labels)):
        np.testing.assert_array_equal(stored, arrays[name][taken])
        assert stored.dtype == ARRAYS[name][0]
    np.testing.assert_array_equal(found.groups, arrays["groups"][taken])
    np.testing.assert_array_equal(found.weights, arrays["weights"][taken])
    np.testing.assert_array_equal(read.times, arrays["times"])
    np.testing.assert_array_equal(read.labels, arrays["labels"])


def test_every_file_is_told_with_its_bytes_and_hash(small_shards, tmp_path):
    writer, _ = write(tmp_path, written(2500))
    found = {str(path.relative_to(tmp_path)): fingerprint(path) for path in tmp_path.rglob("*.npy")}
    assert writer.files == found
    content = (tmp_path / "train-00001" / "times.npy").read_bytes()
    told = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert writer.files["train-00001/times.npy"] == told


def test_files_are_plain_npy(small_shards, tmp_path):
    write(tmp_path, written(1500))
    times = [np.load(tmp_path / f"train-0000{i}" / "times.npy") for i in range(2)]
    np.testing.assert_array_equal(np.concatenate(times), written(1500)["times"])


def test_rows_that_do_not_come_are_missed(tmp_path):
    writer = ShardWriter(tmp_path, "train", 10, ARRAYS)
    writer.append({name: array[:9] for name, array in written(10).items()})
    with pytest.raises(AssertionError, match="1 rows are missing in train-00000"):
        writer.close()


EXTRAS = {"group": "user", "weight": "row", "time": {"column": "ts", "format": "unix"}}


def test_a_dataset_in_several_shards_is_that_in_one(tmp_path, monkeypatch):
    one = open_rows(tmp_path, rows(4000), **EXTRAS)
    monkeypatch.setattr(shards, "SHARD_ROWS", 1024)
    several = open_rows(tmp_path, cache=str(tmp_path / "several"), **EXTRAS)
    assert [len(data.manifest["shards"]["train"]) for data in (one, several)] == [1, 3]
    assert one.schema == several.schema
    for split in ("train", "valid", "test"):
        assert same(one.rows(split), several.rows(split))
        np.testing.assert_array_equal(one.splits[split].times, several.splits[split].times)
        for order in ("file", "shuffled"):
            batches = zip(*(data.loader(split, 999, order=order).batches(2) for data in (one, several)), strict=True)
            assert all(same(*pair) for pair in batches)


def test_times_are_kept_in_full_and_none_without_a_time(tmp_path):
    data = open_rows(tmp_path, rows(40), time=EXTRAS["time"])
    numbers = row_numbers(data, "test")
    np.testing.assert_array_equal(data.splits["test"].times, [1_400_000_000 + 977 * i for i in numbers])
    assert data.splits["test"].times.dtype == np.float64
    assert open_rows(tmp_path).splits["test"].times is None


def test_groups_are_numbers_of_64_bits_equal_for_equal_texts_in_all_splits(tmp_path):
    data = open_rows(tmp_path, rows(60), group="user")
    users = [line.split(",")[2] for line in rows(60).split()]
    number: dict[str, int] = {}
    for split in ("train", "valid", "test"):
        groups = data.rows(split).groups
        assert groups.dtype.is_signed
        assert groups.dtype.itemsize == 8
        for row, group in zip(row_numbers(data, split), groups.tolist(), strict=True):
            assert number.setdefault(users[row], group) == group
    assert len(set(number.values())) == len(number)
