"""A prepared folder is whole or absent, whatever happens; the same recipe and contents find it, no others do."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from ctr.data import Prepared, cache, contents, prepared
from ctr.data.contents import Contents
from ctr.data.prepared import MANIFEST
from ctr.data.readers import text
from ctr.data.readers.csv import CSV
from ctr.errors import UserError
from tests.conftest import ROOT
from tests.data.small import FIELDS, HEADER, open_rows, rows, same, same_data

FEW = {name: FIELDS[name] for name in ("row", "user", "price")}
TEXT = rows(40)


def name(folder: Path, content: str | None = None, **changes) -> str:
    """The folder of the prepared data, which says by its name what they are made of."""
    return open_rows(folder, content, **{"fields": FEW} | changes).folder.name


def crash(what: str, folder: Path):
    """What came of a scene of tests.data.crashes."""
    paths = os.pathsep.join([str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "tests.data.crashes", what, str(folder)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


# --- what finds a prepared folder ---

CHANGES = {
    "reader": {"reader": {"format": "csv", "quote": None}},
    "split": {"split": {"by": "random", "valid": 0.2, "test": 0.2, "seed": 1}},
    "seed": {"split": {"by": "random", "valid": 0.2, "test": 0.2, "seed": 2}},
    "labels": {"labels": "real"},
    "label values": {"label_values": {"0": 1, "1": 0}},
    "group": {"group": "user"},
    "weight": {"weight": "ts"},
    "time": {"time": {"column": "ts", "format": "unix"}},
    "a field less": {"fields": {field: FEW[field] for field in ("row", "user")}},
    "an option": {"fields": FEW | {"user": {"kind": "categorical", "min_count": 2}}},
    "a field's column": {"fields": FEW | {"user": {"kind": "categorical", "column": "item"}}},
    "missing": {"missing": ["NA", "u1"]},
    "bad rows": {"bad_rows": "reject"},
    "negatives": {"negatives": {"keep": 0.9, "seed": 1}},
}


def test_every_part_of_the_recipe_makes_a_folder_of_its_own(tmp_path):
    names = [name(tmp_path, TEXT), *(name(tmp_path, **change) for change in CHANGES.values())]
    assert len(set(names)) == 1 + len(CHANGES)


def test_the_order_of_fields_makes_a_folder_of_its_own(tmp_path):
    one = open_rows(tmp_path, TEXT, fields=FEW)
    other = open_rows(tmp_path, fields=dict(reversed(FEW.items())))
    assert [field.name for field in other.schema.fields] == ["price", "user", "row"]
    assert one.folder != other.folder


def test_the_order_of_positions_makes_a_folder_of_its_own(tmp_path):
    (tmp_path / "train.csv").write_text("".join(f"{i % 2} {i}:1 {100 + i % 3}:1\n" for i in range(20)))
    data = {}
    for order in (("user", "item"), ("item", "user")):
        reader = {"format": "libfm", "positions": dict.fromkeys(order, "id")}
        data[order] = open_rows(tmp_path, reader=reader, fields=dict.fromkeys(("user", "item"), "categorical"))
    assert [field.num_features for field in data["user", "item"].schema.fields] == [13, 4]
    assert [field.num_features for field in data["item", "user"].schema.fields] == [4, 13]


def test_the_contents_make_a_folder_of_their_own(tmp_path):
    assert name(tmp_path, TEXT) != name(tmp_path, TEXT.replace("u1", "u9", 1))


def test_the_same_rows_for_other_splits_make_a_folder_of_their_own(tmp_path):
    for i in range(2):
        (tmp_path / f"{i}.csv").write_text(f"{HEADER}\n{rows(20, seed=i)}")
    names = [name(tmp_path, train=f"{i}.csv", valid=f"{1 - i}.csv", test="1.csv", split=None) for i in range(2)]
    both = [name(tmp_path, train=["0.csv", "1.csv"]), name(tmp_path, train=["1.csv", "0.csv"])]
    assert len({*names, *both}) == 4


def test_a_new_format_makes_a_new_folder(tmp_path, monkeypatch):
    one = name(tmp_path, TEXT)
    for module in (cache, prepared):
        monkeypatch.setattr(module, "FORMAT", 99)
    assert name(tmp_path) != one


def test_paths_the_window_and_the_place_of_the_cache_do_not_matter(tmp_path):
    one = name(tmp_path, TEXT)
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(tmp_path / "train.csv", tmp_path / "elsewhere" / "renamed.csv")
    assert name(tmp_path / "elsewhere", train="renamed.csv") == one
    assert name(tmp_path, window=2048) == one
    assert name(tmp_path, cache=str(tmp_path / "cache2")) == one


def never(*given, **named):
    raise AssertionError("this was not to be called")


def test_what_is_prepared_is_not_prepared_again(tmp_path, monkeypatch, capsys):
    one = open_rows(tmp_path, TEXT)
    assert "prepared 40 rows in" in capsys.readouterr().err
    monkeypatch.setattr(cache, "prepare", never)
    other = open_rows(tmp_path)
    assert same_data(one, other)
    assert other.summary == one.summary
    assert capsys.readouterr().err == ""


def test_the_same_contents_by_another_path_are_not_prepared_again(tmp_path, monkeypatch):
    one = open_rows(tmp_path, TEXT)
    shutil.copy(tmp_path / "train.csv", tmp_path / "copy.csv")
    monkeypatch.setattr(cache, "prepare", never)
    assert same_data(one, open_rows(tmp_path, train="copy.csv"))


def test_the_manifest_says_what_was_made_of_what(tmp_path):
    manifest = open_rows(tmp_path, TEXT).manifest
    assert manifest["sources"] == {"train": [str(tmp_path / "train.csv")]}
    assert manifest["recipe"]["fields"] == FIELDS
    assert manifest["rows"] == {
        "read": 40, "train": 24, "valid": 8, "test": 8, "rejected": {}, "dropped_negatives": 0
    }  # fmt: skip


# --- changed contents ---


def aged(path: Path, seconds: float = 10) -> None:
    """The file as if it had been written so long ago."""
    then = time.time_ns() - int(seconds * 10**9)
    os.utime(path, ns=(then, then))


def hashes(path: Path, memory: Path) -> list[str]:
    return Contents({"train": [path]}, memory).read()["train"]


def test_a_file_of_another_content_and_the_same_size_is_noticed(tmp_path):
    open_rows(tmp_path, TEXT)
    aged(tmp_path / "train.csv", 20)
    one = open_rows(tmp_path)
    (tmp_path / "train.csv").write_text(f"{HEADER}\n{TEXT.replace('u1', 'u9')}")
    aged(tmp_path / "train.csv", 10)
    other = open_rows(tmp_path)
    assert other.folder != one.folder
    assert "u9" in other.encoders()[1].encoder.vocabulary.tokens.to_pylist()


def test_a_file_that_is_rewritten_and_given_its_old_time_is_noticed(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    aged(path)
    before = path.stat()
    one = hashes(path, tmp_path / "memory")
    path.write_text("two")  # cp -p, tar and rsync --inplace do this to files of equal times
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert hashes(path, tmp_path / "memory") != one


def test_a_file_is_read_once(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_text("one")
    aged(path)
    one = hashes(path, tmp_path / "memory")
    monkeypatch.setattr(contents, "fingerprint", never)
    assert hashes(path, tmp_path / "memory") == one
    assert Contents({"train": [path]}, tmp_path / "memory").known() == {"train": one}
    with pytest.raises(AssertionError):
        hashes(path, tmp_path / "another memory")
    path.rename(tmp_path / "moved")
    with pytest.raises(AssertionError):
        hashes(tmp_path / "moved", tmp_path / "memory")


def test_a_file_that_has_just_changed_is_read_again(tmp_path):
    path = tmp_path / "file"
    path.write_text("one")
    stat = path.stat()
    one = hashes(path, tmp_path / "memory")
    path.write_text("two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # within one tick of a coarse clock
    assert hashes(path, tmp_path / "memory") != one
    assert Contents({"train": [path]}, tmp_path / "memory").known() is None


def test_a_file_that_changes_while_it_is_prepared_is_refused(tmp_path, monkeypatch):
    prepare = cache.prepare

    def meanwhile(*given, **named):
        made = prepare(*given, **named)
        (tmp_path / "train.csv").write_text(f"{HEADER}\n{TEXT}{TEXT}")
        return made

    monkeypatch.setattr(cache, "prepare", meanwhile)
    with pytest.raises(UserError, match=r"train\.csv changed while it was prepared; repeat the command"):
        open_rows(tmp_path, TEXT)
    assert not list((tmp_path / "cache").glob(f"[!.]*/{MANIFEST}"))
    monkeypatch.undo()
    assert open_rows(tmp_path).manifest["rows"]["read"] == 80


# --- damage ---


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "flipped": flipped,
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "empty": lambda path: path.write_bytes(b""),
    "missing": Path.unlink,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_noticed_at_opening_and_the_data_are_prepared_again(tmp_path, damage, capsys):
    one = open_rows(tmp_path, TEXT, fields=FEW)
    whole = {split: one.rows(split) for split in one.splits}
    files = [str(path.relative_to(one.folder)) for path in one.folder.rglob("*") if path.is_file()]
    assert {*one.manifest["files"], MANIFEST, "rejected.jsonl"} == set(files)
    for file in one.manifest["files"]:
        DAMAGES[damage](one.folder / file)
        capsys.readouterr()
        other = open_rows(tmp_path, fields=FEW)
        told = capsys.readouterr().err
        assert f"{one.folder / file} is damaged" in told
        assert "it is prepared anew" in told
        assert "prepared 40 rows" in told
        assert other.schema == one.schema
        assert all(same(other.rows(split), whole[split]) for split in whole)
        assert not list((tmp_path / "cache").glob(".*"))


@pytest.mark.parametrize(
    "damage",
    [
        "missing",
        *(one for one in ("truncated", "empty")),
    ],
)
def test_a_damaged_manifest_is_noticed_too(tmp_path, damage):
    one = open_rows(tmp_path, TEXT, fields=FEW)
    DAMAGES[damage](one.folder / MANIFEST)
    assert same_data(one, open_rows(tmp_path, fields=FEW))


def test_a_flipped_bit_of_the_manifest_is_noticed_too(tmp_path):
    one = open_rows(tmp_path, TEXT, fields=FEW)
    manifest = one.folder / MANIFEST
    manifest.write_text(manifest.read_text().replace('"negatives_kept": 1.0', '"negatives_kept": 0.0'))
    assert open_rows(tmp_path, fields=FEW).negatives_kept == 1.0


def test_a_damaged_folder_elsewhere_is_refused_by_its_file(tmp_path):
    data = open_rows(tmp_path, TEXT)
    flipped(data.folder / "valid-00000" / "values.npy")
    with pytest.raises(UserError, match=r"valid-00000/values\.npy is damaged: it is not what was written\. Delete"):
        Prepared(root=str(data.folder), window=2**20).open()


@pytest.fixture
def slow(monkeypatch):
    """Files whose verification takes longer than an opening waits."""
    read = prepared.fingerprint

    def slowly(path):
        time.sleep(0.05)
        return read(path)

    monkeypatch.setattr(prepared, "PATIENCE", 0)
    monkeypatch.setattr(prepared, "fingerprint", slowly)


@pytest.mark.parametrize("file", ["test-00000/labels.npy", "train-00000/ids.npy", "encoders/0001.arrow"])
def test_damage_that_takes_long_to_find_is_raised_before_an_epoch_ends(tmp_path, slow, file):
    folder = open_rows(tmp_path, TEXT, fields=FEW).folder
    content = (folder / file).read_bytes()
    (folder / file).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    batches = Prepared(root=str(folder), window=2**20).open().loader("train", 4).batches()
    next(batches)  # nothing waits for it
    with pytest.raises(UserError, match=f"{file} is damaged"):
        list(batches)


def test_a_damaged_header_that_takes_long_to_find_is_told_as_damage(tmp_path, slow):
    folder = open_rows(tmp_path, TEXT, fields=FEW).folder
    flipped(folder / "test-00000" / "ids.npy")
    with pytest.raises(UserError, match=r"ids\.npy is damaged"):
        list(Prepared(root=str(folder), window=2**20).open().loader("train", 4).batches())


def bent(path: Path) -> None:
    """Its last byte, which no header has."""
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))


def test_damage_that_takes_long_to_find_is_mended_by_the_same_command(tmp_path, slow, capsys):
    one = open_rows(tmp_path, TEXT, fields=FEW)
    whole = {split: one.rows(split) for split in one.splits}
    bent(one.folder / "test-00000" / "labels.npy")
    again = open_rows(tmp_path, fields=FEW)
    told = r"test-00000/labels\.npy is damaged: .* given up: repeat the command, which prepares the data anew"
    for _ in range(2):  # however often it is asked
        with pytest.raises(UserError, match=told):
            list(again.loader("train", 4).batches())
    assert len(again.encoders()) == len(FEW)  # who has it open goes on
    capsys.readouterr()
    data = open_rows(tmp_path, fields=FEW)
    assert data.folder == one.folder
    assert "prepared 40 rows" in capsys.readouterr().err
    assert sum(map(len, data.loader("train", 4).batches())) == 24
    assert all(same(data.rows(split), whole[split]) for split in whole)
    assert not list((tmp_path / "cache").glob(".*"))
    with pytest.raises(UserError, match="is damaged"):
        list(again.loader("train", 4).batches())
    assert (data.folder / MANIFEST).is_file()  # what has taken its place is not given up


def test_a_folder_that_another_process_gives_up_while_it_is_opened_is_prepared_again(tmp_path, monkeypatch):
    one = open_rows(tmp_path, TEXT, fields=FEW)
    whole = {split: one.rows(split) for split in one.splits}
    found = cache.open_folder

    def meanwhile(folder, *given, **named):
        monkeypatch.undo()
        (folder / MANIFEST).unlink()
        return found(folder, *given, **named)

    monkeypatch.setattr(cache, "open_folder", meanwhile)
    data = open_rows(tmp_path, fields=FEW)
    assert all(same(data.rows(split), whole[split]) for split in whole)


def test_a_damaged_folder_that_may_not_be_given_up_is_to_be_deleted(tmp_path, slow, monkeypatch):
    folder = open_rows(tmp_path, TEXT, fields=FEW).folder
    bent(folder / "test-00000" / "labels.npy")
    data = open_rows(tmp_path, fields=FEW)

    def forbidden(*given):
        raise PermissionError("read only")

    monkeypatch.setattr(prepared.os, "replace", forbidden)
    with pytest.raises(UserError, match=f"is damaged: .* Delete {folder} and repeat the command"):
        list(data.loader("train", 4).batches())


def test_whole_files_that_take_long_to_verify_are_waited_for(tmp_path, slow):
    data = open_rows(tmp_path, TEXT, fields=FEW)
    assert sum(map(len, data.loader("train", 4).batches())) == 24
    assert not data.splits["train"].check.__self__._thread.is_alive()


# --- another place ---


def test_a_prepared_folder_opens_wherever_it_is_copied(tmp_path):
    one = open_rows(tmp_path, TEXT)
    whole = {split: one.rows(split) for split in one.splits}
    shutil.copytree(one.folder, tmp_path / "copy")
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "train.csv").unlink()
    other = Prepared(root=str(tmp_path / "copy"), window=4096).open()
    assert other.schema == one.schema
    assert all(same(other.rows(split), whole[split]) for split in whole)
    assert other.summary == one.summary
    assert [encoder.encoder.field for encoder in other.encoders()] == list(one.schema.fields)
    assert other.window == 4096


def test_a_folder_of_another_format_is_refused(tmp_path):
    folder = open_rows(tmp_path, TEXT).folder
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(UserError, match="has the format 99, this version reads 2; prepare it anew"):
        Prepared(root=str(folder), window=2**20).open()


def test_a_folder_that_was_not_prepared_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"is no prepared folder: it has no manifest\.json"):
        Prepared(root=str(tmp_path), window=2**20).open()


# --- preparations that were cut off ---


def cut_off(folder: Path, monkeypatch) -> Path:
    """What a preparation leaves that has staged its chunks and ends then."""
    with monkeypatch.context() as patch:
        patch.setattr("ctr.data.prepare.save_encoders", never)
        patch.setattr(text, "BLOCK_BYTES", 2**9)
        with pytest.raises(AssertionError):
            open_rows(folder, TEXT)
    (partial,) = (folder / "cache").glob(".*.partial")
    assert len(list(partial.glob("staged/*.arrow"))) >= 3
    return partial


def test_staged_chunks_are_gone_on_with(tmp_path, monkeypatch):
    cut_off(tmp_path, monkeypatch)
    monkeypatch.setattr(text, "BLOCK_BYTES", 2**9)
    with monkeypatch.context() as patch:
        patch.setattr(CSV, "parse", never)
        data = open_rows(tmp_path)
    assert same_data(data, open_rows(tmp_path, cache=str(tmp_path / "afresh")))
    assert not list((tmp_path / "cache").glob(".*"))


def test_chunks_from_before_the_machine_started_are_dropped(tmp_path, monkeypatch):
    partial = cut_off(tmp_path, monkeypatch)
    for chunk in partial.glob("staged/*.arrow"):
        chunk.write_bytes(b"torn")
    (partial / "staged" / "boot").write_text("another boot")
    monkeypatch.setattr(text, "BLOCK_BYTES", 2**9)
    data = open_rows(tmp_path)
    assert same_data(data, open_rows(tmp_path, cache=str(tmp_path / "afresh")))


def test_a_changed_file_does_not_go_on_with_the_chunks_of_the_old_one(tmp_path, monkeypatch):
    cut_off(tmp_path, monkeypatch)
    monkeypatch.setattr(text, "BLOCK_BYTES", 2**9)
    changed = TEXT.replace("u1", "u9")
    data = open_rows(tmp_path, changed)
    assert same_data(data, open_rows(tmp_path, changed, cache=str(tmp_path / "afresh")))


def test_what_was_staged_of_a_file_that_is_mended_does_not_stay(tmp_path):
    with pytest.raises(UserError, match="expected labels 0 or 1"):
        open_rows(tmp_path, TEXT + "2,40,u1,x,1,a,5\n")
    open_rows(tmp_path, TEXT)
    assert not list((tmp_path / "cache").glob(".*.partial"))


def test_what_a_killed_removal_left_goes_with_the_next_preparation(tmp_path):
    one = open_rows(tmp_path, TEXT, fields=FEW)
    gone = one.folder.with_name(f".{one.folder.name}.gone-1-2")
    shutil.copytree(one.folder, gone)
    open_rows(tmp_path)  # of another recipe
    assert not gone.exists()
    assert one.folder.exists()


def old(partial: Path, days: float) -> None:
    for path in (partial, *partial.rglob("*")):
        aged(path, days * 24 * 3600)


def test_what_nobody_goes_on_with_is_dropped_when_it_is_old(tmp_path, monkeypatch):
    partial = cut_off(tmp_path, monkeypatch)
    old(partial, 6)
    open_rows(tmp_path, split={"by": "order", "valid": 0.25, "test": 0.25})
    assert partial.exists()  # it may yet be gone on with
    old(partial, 8)
    with FileLock(tmp_path / "cache" / f"{partial.name[1:].removesuffix('.partial')}.lock"):  # its process lives
        open_rows(tmp_path, split={"by": "order", "valid": 0.3, "test": 0.3})
        assert partial.exists()
    open_rows(tmp_path, split={"by": "order", "valid": 0.1, "test": 0.1})
    assert not partial.exists()


def test_a_preparation_killed_at_any_step_leaves_nothing_or_the_data_and_goes_on(tmp_path):
    told = crash("kill", tmp_path)
    assert len(told["points"]) > 20
    for point in told["points"]:
        assert point["found"] in ([], [told["expected"]])
        assert point["again"] == told["expected"]
        assert point["left"] == []
        staged_again = 0 if point["found"] else told["parsed"] - point["chunks"]
        assert point["parsed"] == staged_again
    assert any(0 < point["parsed"] < told["parsed"] for point in told["points"])
    assert any(point["found"] for point in told["points"])


# --- several processes ---


def results(told: dict) -> list:
    return [one and one.get("result") for one in told["results"]]


def test_of_eight_processes_one_prepares_and_where_it_is_killed_another(tmp_path):
    for deaths, told in enumerate(crash("race", tmp_path)):
        assert told["printed"].count("prepared 400 rows") == 1
        assert results(told).count(None) == deaths
        assert len(set(results(told)) - {None}) == 1
        assert told["leftovers"] == []


def test_processes_that_find_damaged_data_prepare_them_or_are_told(tmp_path):
    told = crash("damage", tmp_path)
    assert None not in results(told["race"])
    assert len(set(results(told["race"]))) == 1
    assert told["reader"]["error"] == "UserError"


# --- disks that take nothing ---


def test_a_cache_that_cannot_be_written_is_told_and_leaves_no_data_by_name(tmp_path):
    told = crash("disks", tmp_path)
    good = told["whole"]["result"]  # who may not write can read
    for failed, named, again in told["full"]:
        assert failed["error"] == "UserError"
        assert failed["message"].startswith(f"the cache {tmp_path / 'cache'}: ")
        assert "File too large" in failed["message"]
        assert "CTR_CACHE names another folder" in failed["message"]
        assert "\n" not in failed["message"]
        assert named == []
        assert again == {"result": good}
    for cannot in ("empty", "none"):
        assert told[cannot]["error"] == "UserError"
        assert "Permission denied" in told[cannot]["message"]
        assert "CTR_CACHE names another folder" in told[cannot]["message"]


# --- memory ---


def test_ten_times_the_rows_take_little_more_memory(tmp_path):
    """180,000 rows are 45 MB of text; what grows is the vocabulary, of 0.6 million tokens in the longer file."""
    told = crash("memory", tmp_path)
    assert told["200000"] - told["20000"] < 150e6
