"""Each builder on a few lines written as the publisher writes them; and on the real data, byte for byte."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import os
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from ctr.data import originals
from ctr.data.download import Original
from ctr.data.originals import ADULT, BY_HAND, DATASETS, FRAPPE, RATINGS, SPLITS, prepare
from ctr.errors import UserError
from tests.conftest import ROOT


def built(name: str, folder: Path) -> dict[str, str]:
    files = dict(DATASETS[name].build(folder))
    assert set(files) == set(DATASETS[name].files)
    return files


def zipped(path: Path, members: dict[str, str], encoding: str = "utf-8") -> None:
    with zipfile.ZipFile(path, "w") as file:
        for name, text in members.items():
            file.writestr(name, text.encode(encoding))


def test_frappe_numbers_values_field_after_field_as_they_appear(tmp_path):
    log = "user\titem\tcnt\tdaytime\tweekday\tisweekend\thomework\tcost\tweather\tcountry\tcity\n"
    log += "7\ta\t1\tnoon\tsunday\tweekend\thome\tfree\tsunny\tSpain\t0\n"
    log += "5\ta\t9\tnight\tsunday\tweekend\twork\tfree\tunknown\tUnited States\t0\n"
    zipped(tmp_path / "Mobile_Frappe.zip", {"Mobile_Frappe/frappe/frappe.csv": log})
    for split, published in SPLITS.items():
        line = {"train": "1 0:1 2:1 3:1 5:1 6:1 7:1 9:1 10:1 12:1 14:1"}.get(
            split, "-1 1:1 2:1 4:1 5:1 6:1 8:1 9:1 11:1 13:1 14:1"
        )
        (tmp_path / f"frappe.{published}.libfm").write_bytes(f"{line}\r\n".encode())
    files = built("frappe", tmp_path)
    header = "label,user,item,daytime,weekday,isweekend,homework,cost,weather,country,city\n"
    assert files["train.csv.gz"] == header + "1,7,a,noon,sunday,weekend,home,free,sunny,Spain,0\n"
    assert files["valid.csv.gz"] == header + "0,5,a,night,sunday,weekend,work,free,unknown,United States,0\n"
    assert files["test.libfm.gz"] == "-1 1:1 2:1 4:1 5:1 6:1 8:1 9:1 11:1 13:1 14:1\n"


def test_ipinyou_values_are_those_of_the_index(tmp_path):
    (tmp_path / "featindex.fm.txt").write_text("hour:other\t0\nhour:18\t1\nurl:other\t2\nurl:http://a\t3\n")
    (tmp_path / "train.fm.txt").write_text("1 1:1 3:1\n0 0:1 2:1\n")
    (tmp_path / "test.fm.txt").write_text("0 1:1 2:1\n")
    files = built("ipinyou", tmp_path)
    assert files["train.csv.gz"] == "label,hour,url\n1,18,http://a\n0,other,other\n"
    assert files["test.csv.gz"] == "label,hour,url\n0,18,other\n"
    assert files["test.libfm.gz"] == "0 1:1 2:1\n"
    assert files["features.csv.gz"] == "id,field,value\n0,hour,other\n1,hour,18\n2,url,other\n3,url,http://a\n"


def test_adult_loses_remark_dots_and_question_marks(tmp_path):
    row = "39, ?, 77516, Bachelors, 13, Never-married, ?, Not-in-family, White, Male, 2174, 0, 40, Cuba, "
    (tmp_path / "adult.data").write_text(f"{row}<=50K\n\n")
    (tmp_path / "adult.test").write_text(f"|1x3 Cross validator\n{row}<=50K.\n{row}>50K.\n\n")
    files = built("adult", tmp_path)
    cells = "39,,77516,Bachelors,13,Never-married,,Not-in-family,White,Male,2174,0,40,Cuba"
    assert files["train.csv.gz"] == ",".join(("label", *ADULT)) + f"\n0,{cells}\n"
    assert files["test.csv.gz"].splitlines()[1:] == [f"0,{cells}", f"1,{cells}"]


def test_movielens_joins_users_movies_and_tests(tmp_path):
    texts = {
        "u.data": "1\t2\t3\t881250949\n2\t1\t5\t881250950\n",
        "u.user": "1|24|M|technician|85711\n2|53|F|other|T8H1N\n",
        "u.item": "1|unknown||||1|0|0\n2|Léon, or 1900 (1976) (1994)|01-Jan-1995||http://a|0|1|1\n",
        "u.genre": "unknown|0\nAction|1\nCrime|2\n\n",
        "ua.test": "2\t1\t5\t881250950\n",
        "u1.test": "2\t1\t5\t881250950\n",
        "u2.test": "",
        "u3.test": "1\t2\t3\t881250949\n",
        "u4.test": "",
        "u5.test": "",
    }
    zipped(tmp_path / "ml-100k.zip", {f"ml-100k/{name}": text for name, text in texts.items()}, "latin-1")
    header, *rows = built("movielens_100k", tmp_path)["ratings.csv.gz"].splitlines()
    assert header == ",".join(RATINGS)
    assert rows == [
        '3,1,2,24,M,technician,85711,"Léon, or 1900 (1976) (1994)",1994,Action|Crime,881250949,3,0',
        "5,2,1,53,F,other,T8H1N,unknown,,unknown,881250950,1,1",
    ]


@pytest.fixture
def local(tmp_path, monkeypatch) -> Path:
    """A data folder whose Adult originals lie there already, two rows in all: nothing has to be fetched."""
    folder = tmp_path / "data" / "adult" / "original"
    folder.mkdir(parents=True)
    row = "39, ?, 77516, Bachelors, 13, Never-married, ?, Not-in-family, White, Male, 2174, 0, 40, Cuba, <=50K"
    (folder / "adult.data").write_bytes(f"{row}\n".encode())
    (folder / "adult.test").write_bytes(f"{row}.\n".encode())
    pinned = tuple(
        Original(f"https://127.0.0.1:9/{path.name}", path.stat().st_size, f"git:{blob(path)}")
        for path in (folder / "adult.data", folder / "adult.test")
    )
    monkeypatch.setitem(DATASETS, "adult", replace(DATASETS["adult"], originals=pinned))
    return tmp_path / "data"


def blob(path: Path) -> str:
    told = subprocess.run(["git", "hash-object", "--no-filters", path], capture_output=True, text=True, check=True)
    return told.stdout.strip()


def test_prepare_builds_what_is_missing_and_nothing_else(local):
    told: list[str] = []
    prepare("adult", local, told.append)
    assert told[0].startswith("Terms: Creative Commons Attribution 4.0.\nCite: Barry Becker")
    files = {path.name: path.read_bytes() for path in (local / "adult").glob("*.gz")}
    assert set(files) == {"train.csv.gz", "test.csv.gz"}

    (local / "adult" / "train.csv.gz").write_bytes(b"mine")
    (local / "adult" / "test.csv.gz").unlink()
    prepare("adult", local, told.append)
    assert (local / "adult" / "train.csv.gz").read_bytes() == b"mine"
    assert (local / "adult" / "test.csv.gz").read_bytes() == files["test.csv.gz"]

    for path in (local / "adult" / "original").iterdir():
        path.unlink()
    prepare("adult", local, told.append)  # all is there: no original is asked for
    assert "already" in told[-1]


def test_prepare_without_an_original_or_a_network_writes_nothing(local):
    (local / "adult" / "original" / "adult.test").write_bytes(b"another one")
    with pytest.raises(UserError, match=r"https://127.0.0.1:9/adult.test could not be fetched"):
        prepare("adult", local, print)
    assert not list((local / "adult").glob("*.*"))


def test_names_that_cannot_be_fetched_say_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"criteo has to be got by hand\. .*kaggle\.com"):
        prepare("criteo", tmp_path, print)
    with pytest.raises(UserError, match=r"no dataset 'frape'; there are .*did you mean 'frappe'\?"):
        prepare("frape", tmp_path, print)
    with pytest.raises(UserError, match=r"no dataset '\.\./frappe'"):
        prepare("../frappe", tmp_path, print)
    assert not list(tmp_path.iterdir())


def test_every_original_is_pinned():
    for dataset in DATASETS.values():
        assert re.fullmatch(r"[a-z0-9-]+", dataset.folder)
        assert len({original.name for original in dataset.originals}) == len(dataset.originals)
        for original in dataset.originals:
            assert re.fullmatch(r"sha256:[0-9a-f]{64}|git:[0-9a-f]{40}", original.digest)
            assert original.num_bytes is not None or original.digest.startswith("git:")
            assert original.url.startswith("https://")
            if "githubusercontent" in original.url:
                assert re.search(r"/[0-9a-f]{40}/", original.url)


def test_the_script_lists_all_datasets():
    script = [sys.executable, ROOT / "scripts" / "download.py", "--list"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    listed = subprocess.run(script, env=environment, capture_output=True, text=True, check=True).stdout
    assert listed.strip() == originals.listing()
    assert all(f"\n{name}" in f"\n{listed}" for name in [*DATASETS, *BY_HAND])


def real(folder: str, files: tuple[str, ...]) -> dict[str, str]:
    """The texts of these files of $CTR_DATA/<folder>: with CTR_DATA set they have to be there; without, a skip."""
    if (root := os.environ.get("CTR_DATA")) is None:
        pytest.skip(f"set CTR_DATA to a folder with {folder}/ in it; scripts/download.py makes one")
    place = (ROOT / root / folder).resolve()
    if missing := [name for name in files if not (place / name).is_file()]:
        pytest.fail(f"CTR_DATA={root} is set, but {place} holds no {', '.join(missing)}")
    return {name: gzip.decompress((place / name).read_bytes()).decode() for name in files}


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))[1:]


def is_original(name: str, path: Path) -> bool:
    (original,) = (original for original in DATASETS[name].originals if original.name == path.name)
    return original.refusal(path) == ""


def test_real_frappe(tmp_path):
    """Valid and test are the published files, as pinned; the log is one made up from all values in their order."""
    files = real("frappe", ("valid.libfm.gz", "valid.csv.gz", "test.libfm.gz", "test.csv.gz"))
    value_of: dict[str, str] = {}
    for split in ("valid", "test"):
        for line, row in zip(files[f"{split}.libfm.gz"].splitlines(), rows(files[f"{split}.csv.gz"]), strict=True):
            value_of.update(zip(line.split()[1:], row[1:], strict=True))
    sizes = (957, 4082, 7, 7, 2, 3, 2, 9, 80, 233)  # as the authors' README has them
    starts = itertools.accumulate(sizes, initial=0)
    log = {
        field: [value_of.get(f"{start + row}:1", f"not in valid or test: {row}") for row in range(size)]
        for field, size, start in zip(FRAPPE, sizes, starts, strict=False)
    }
    lines = ["\t".join(log[field][min(row, len(log[field]) - 1)] for field in FRAPPE) for row in range(max(sizes))]
    zipped(tmp_path / "Mobile_Frappe.zip", {"Mobile_Frappe/frappe/frappe.csv": "\n".join(["\t".join(FRAPPE), *lines])})
    for split in ("valid", "test"):
        path = tmp_path / f"frappe.{SPLITS[split]}.libfm"
        path.write_bytes(files[f"{split}.libfm.gz"].replace("\n", "\r\n").encode())
        assert is_original("frappe", path)
    first = files["test.libfm.gz"].split("\n")[0]
    (tmp_path / "frappe.train.libfm").write_text(f"{first}\n")  # the real train part need not be the published one
    texts = built("frappe", tmp_path)
    assert {name: texts[name] for name in files} == files


def test_real_ipinyou(tmp_path):
    files = real("ipinyou", DATASETS["ipinyou"].files)
    index = "".join(f"{field}:{value}\t{number}\n" for number, field, value in rows(files["features.csv.gz"]))
    texts = {"featindex": index, "train": files["train.libfm.gz"], "test": files["test.libfm.gz"]}
    for name, text in texts.items():
        (tmp_path / f"{name}.fm.txt").write_bytes(text.encode())
        assert is_original("ipinyou", tmp_path / f"{name}.fm.txt")
    assert built("ipinyou", tmp_path) == files


def test_real_adult(tmp_path):
    files = real("adult", DATASETS["adult"].files)
    published = {"train": ("adult.data", "", ""), "test": ("adult.test", "|1x3 Cross validator\n", ".")}
    for split, (name, start, dot) in published.items():
        lines = [
            f"{', '.join(cell or '?' for cell in cells)}, {'>50K' if label == '1' else '<=50K'}{dot}\n"
            for label, *cells in rows(files[f"{split}.csv.gz"])
        ]
        (tmp_path / name).write_bytes((start + "".join(lines) + "\n").encode())
        assert is_original("adult", tmp_path / name)
    assert built("adult", tmp_path) == files


def test_real_movielens_100k(tmp_path):
    files = real("movielens-100k", DATASETS["movielens_100k"].files)
    ratings = [dict(zip(RATINGS, row, strict=True)) for row in rows(files["ratings.csv.gz"])]
    genres = sorted({genre for rating in ratings for genre in rating["genres"].split("|")})  # "unknown" is last

    def table(names: list[str], separator: str, key: str = "", value: str = "") -> str:
        lines = [separator.join(row[name] for name in names) for row in ratings if not key or row[key] == value]
        return "".join(f"{line}\n" for line in dict.fromkeys(lines))

    movies = {row["item"]: row for row in ratings}.values()
    flags = [["1" if genre in movie["genres"].split("|") else "0" for genre in genres] for movie in movies]
    data = ["user", "item", "rating", "timestamp"]
    texts = {
        "u.data": table(data, "\t"),
        "u.user": table(["user", "age", "gender", "occupation", "zip"], "|"),
        "u.item": "".join(
            f"{movie['item']}|{movie['title']}|01-Jan-{movie['year']}|||{'|'.join(flag)}\n".replace("01-Jan-|", "|")
            for movie, flag in zip(movies, flags, strict=True)
        ),
        "u.genre": "".join(f"{genre}|{number}\n" for number, genre in enumerate(genres)),
        "ua.test": table(data, "\t", "ua_test", "1"),
    } | {f"u{fold}.test": table(data, "\t", "fold", str(fold)) for fold in range(1, 6)}
    assert len(texts["u.data"]) == 1_979_173  # the bytes of the published u.data
    zipped(tmp_path / "ml-100k.zip", {f"ml-100k/{name}": text for name, text in texts.items()}, "latin-1")
    assert built("movielens_100k", tmp_path) == files
