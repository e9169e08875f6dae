"""The public originals of real datasets, and how each becomes the files that `configs/dataset/` reads."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ctr.data.download import Original, alone, fetch, unzip, write_gzip
from ctr.errors import UserError, nearest

SPLITS = {"train": "train", "valid": "validation", "test": "test"}  # as the NFM authors name them
FRAPPE = ("user", "item", "daytime", "weekday", "isweekend", "homework", "cost", "weather", "country", "city")
RATINGS = (
    "rating", "user", "item", "age", "gender", "occupation", "zip", "title", "year", "genres", "timestamp", "fold",
    "ua_test",
)  # fmt: skip
ADULT = (
    "age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship", "race",
    "sex", "capital_gain", "capital_loss", "hours_per_week", "native_country",
)  # fmt: skip


@dataclass(frozen=True)
class Dataset:
    """What to fetch, what becomes of it, and what its publishers ask for.

    `build` reads the originals in a folder and yields the name and the text of each of `files`.
    """

    folder: str
    originals: tuple[Original, ...]
    files: tuple[str, ...]
    build: Callable[[Path], Iterator[tuple[str, str]]]
    terms: str
    citation: str


def prepare(name: str, root: Path, tell: Callable[[str], None]) -> None:
    """Fetches and builds what is not there yet; files that are there stay as they are.

    Raises UserError for a name that is unknown or has to be got by hand, and where something cannot be had or written.
    """
    if name in BY_HAND:
        raise UserError(f"{name} has to be got by hand. {BY_HAND[name]}")
    if name not in DATASETS:
        raise UserError(f"no dataset {name!r}; there are {', '.join(DATASETS)}{nearest(name, [*DATASETS, *BY_HAND])}")
    dataset = DATASETS[name]
    folder = root.expanduser() / dataset.folder
    tell(f"Terms: {dataset.terms}\nCite: {dataset.citation}")
    if all((folder / file).is_file() for file in dataset.files):
        tell(f"{folder} has {', '.join(dataset.files)} already; a file that you remove is built again")
        return
    with alone(folder / "original"):
        for original in dataset.originals:
            tell(f"{folder / 'original' / original.name} from {original.url}")
            fetch(original, folder / "original" / original.name)
        for file, text in dataset.build(folder / "original"):
            if not (folder / file).is_file():
                write_gzip(folder / file, text)
                tell(f"wrote {folder / file}")


def listing() -> str:
    """All datasets: what is fetched, from where, how large, on which terms; and what has to be got by hand."""
    told = []
    for name, dataset in DATASETS.items():
        told += [f"{name} -> {dataset.folder}/{{{','.join(dataset.files)}}}"]
        for original in dataset.originals:
            size = "size not published" if original.num_bytes is None else f"{original.num_bytes:,} bytes"
            told += [f"  {original.url} ({size})"]
        told += [f"  Terms: {dataset.terms}", f"  Cite: {dataset.citation}"]
    return "\n".join([*told, *(f"{name}: not fetched\n  {how}" for name, how in BY_HAND.items())])


def frappe(originals: Path) -> Iterator[tuple[str, str]]:
    """The authors' libFM text, and the same rows with the log's own values.

    The authors number the values of field after field, each field's in the order of their first appearance in the log.
    """
    member = "Mobile_Frappe/frappe/frappe.csv"
    log = unzip(originals / "Mobile_Frappe.zip", [member])[member].decode()
    rows = list(csv.DictReader(io.StringIO(log), delimiter="\t"))
    values = [value for field in FRAPPE for value in dict.fromkeys(row[field] for row in rows)]
    for split, published in SPLITS.items():
        libfm = (originals / f"frappe.{published}.libfm").read_text("utf-8")  # line ends: theirs are CRLF, ours LF
        yield f"{split}.libfm.gz", libfm
        yield f"{split}.csv.gz", _with_values(libfm, FRAPPE, values)


def ipinyou(originals: Path) -> Iterator[tuple[str, str]]:
    """The authors' text as it is, the same rows with the index's values, and the index: lines FIELD:VALUE, tab, ID."""
    index = [line.rsplit("\t", 1) for line in _lines((originals / "featindex.fm.txt").read_text("utf-8"))]
    features = [(number, *feature.split(":", 1)) for feature, number in index]
    fields = tuple(dict.fromkeys(field for _, field, _ in features))
    for split in ("train", "test"):
        libfm = (originals / f"{split}.fm.txt").read_text("utf-8")
        yield f"{split}.libfm.gz", libfm
        yield f"{split}.csv.gz", _with_values(libfm, fields, [value for _, _, value in features])
    yield "features.csv.gz", _csv(("id", "field", "value"), features)


def adult(originals: Path) -> Iterator[tuple[str, str]]:
    """Comma and blank between cells, "?" for a missing one; the test file has a remark first, and a dot in each row."""
    for split, published in {"train": "adult.data", "test": "adult.test"}.items():
        lines = _lines((originals / published).read_text("utf-8"))
        rows = [line.rstrip(".").split(", ") for line in lines if line and not line.startswith("|")]
        cells = ([str(int(row[-1] == ">50K")), *("" if cell == "?" else cell for cell in row[:-1])] for row in rows)
        yield f"{split}.csv.gz", _csv(("label", *ADULT), cells)


def movielens_100k(originals: Path) -> Iterator[tuple[str, str]]:
    """`u.data` joined with its users and movies; which official test parts a rating belongs to; Latin-1 in the zip."""
    tests = [f"u{fold}.test" for fold in range(1, 6)]
    names = ["u.data", "u.item", "u.user", "u.genre", "ua.test", *tests]
    texts = unzip(originals / "ml-100k.zip", [f"ml-100k/{name}" for name in names])

    def rows(name: str, separator: str) -> list[list[str]]:
        return [line.split(separator) for line in _lines(texts[f"ml-100k/{name}"].decode("latin-1"))]

    folds = {tuple(row[:2]): name[1] for name in tests for row in rows(name, "\t")}
    ua_test = {tuple(row[:2]) for row in rows("ua.test", "\t")}
    users = {row[0]: row[1:] for row in rows("u.user", "|")}
    genres = [row[0] for row in rows("u.genre", "|") if row != [""]]
    movies = {}
    for item, title, date, _, _, *flags in rows("u.item", "|"):
        year = (re.findall(r"\((\d{4})\)", title) or [date[-4:]])[-1]
        named = "|".join(genre for genre, flag in zip(genres, flags, strict=True) if flag == "1")
        movies[item] = (title, year, named)
    ratings = (
        [rating, user, item, *users[user], *movies[item], time, folds[user, item], str(int((user, item) in ua_test))]
        for user, item, rating, time in rows("u.data", "\t")
    )
    yield "ratings.csv.gz", _csv(RATINGS, ratings)


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")  # not splitlines, which ends lines at eight characters more


def _with_values(libfm: str, fields: Sequence[str], values: Sequence[str]) -> str:
    """libFM text, LABEL ID:1 ... ID:1 in the order of the fields, as CSV with values[ID]; label 1 or 0."""
    value_of = {f"{number}:1": value for number, value in enumerate(values)}
    rows = (line.split() for line in _lines(libfm))
    cells = ([str(int(label == "1")), *map(value_of.__getitem__, tokens)] for label, *tokens in rows)
    return _csv(("label", *fields), cells)


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


NFM = "https://raw.githubusercontent.com/hexiangnan/neural_factorization_machine/ca2a5d11b929816aa44c6e470e795af144608507/data/frappe/"
CARSKIT = "https://raw.githubusercontent.com/irecsys/CARSKit/0a1789fb0804b067cabd223c4b8fd8b4d2f6e881/context-aware_data_sets/"
FNN = "https://raw.githubusercontent.com/wnzhang/deep-ctr/229ad52cb97bc213012ba596b451990dcca6b897/data/"
UCI = "https://archive.ics.uci.edu/ml/machine-learning-databases/adult/"
GROUPLENS = (
    "any research purpose, without implying endorsement by the University of Minnesota or GroupLens; acknowledge the "
    "data in publications; no passing on and no commercial use without permission; no warranty."
)
MOVIELENS = (
    "F. Maxwell Harper and Joseph A. Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015, "
    "https://doi.org/10.1145/2827872"
)

# Every digest is that of bytes that were read (the repositories' blobs at these commits), but for two:
# frappe.train.libfm: the blob id in the commit's tree; the file itself was not at hand, and its size is not published.
# ml-100k.zip: tensorflow_datasets/url_checksums/movielens.txt in tensorflow/datasets, which for Adult lists, in
# adult.txt, the very sizes and digests that are here.
DATASETS = {
    "frappe": Dataset(
        "frappe",
        (
            Original(f"{NFM}frappe.train.libfm", None, "git:176b2aaf1f63dd13d3e66a5c17c8ec8186e91893"),
            Original(
                f"{NFM}frappe.validation.libfm",
                4_163_044,
                "sha256:fdf4be563a7dd9b15f7a6e8b32671e90e6e7a2a2bd3af4e10bf13c5ad7e76e9e",
            ),
            Original(
                f"{NFM}frappe.test.libfm",
                2_081_389,
                "sha256:a2ebaef3a9af8e55f8bb0d08bc4923965e42e43760ebd7635ac2f8c5db99e097",
            ),
            Original(
                f"{CARSKIT}Mobile_Frappe.zip",
                3_372_404,
                "sha256:4adc616de57170f282397f6e6e30215f97fa7ad1b7f40bd12ef5dceaaf3e9b4e",
            ),
        ),
        tuple(f"{split}.{form}.gz" for split in SPLITS for form in ("libfm", "csv")),
        frappe,
        "any research purpose; acknowledge the data in publications; no passing on without permission, no attempt to "
        "deanonymise, no commercial use without permission; no warranty.",
        "Linas Baltrunas, Karen Church, Alexandros Karatzoglou, Nuria Oliver, Frappe: Understanding the Usage and "
        "Perception of Mobile App Recommendations In-The-Wild, arXiv:1505.03014, 2015. Split and negatives: Xiangnan "
        "He, Tat-Seng Chua, Neural Factorization Machines for Sparse Predictive Analytics, SIGIR 2017.",
    ),
    "movielens_100k": Dataset(
        "movielens-100k",
        (
            Original(
                "https://files.grouplens.org/datasets/movielens/ml-100k.zip",
                4_924_029,
                "sha256:50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            ),
        ),
        ("ratings.csv.gz",),
        movielens_100k,
        GROUPLENS,
        MOVIELENS,
    ),
    "adult": Dataset(
        "adult",
        (
            Original(
                f"{UCI}adult.data",
                3_974_305,
                "sha256:5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d",
            ),
            Original(
                f"{UCI}adult.test",
                2_003_153,
                "sha256:a2a9044bc167a35b2361efbabec64e89d69ce82d9790d2980119aac5fd7e9c05",
            ),
        ),
        ("train.csv.gz", "test.csv.gz"),
        adult,
        "Creative Commons Attribution 4.0.",
        "Barry Becker, Ronny Kohavi, Adult, UCI Machine Learning Repository, 1996, https://doi.org/10.24432/C5XW20",
    ),
    "ipinyou": Dataset(
        "ipinyou",
        (
            Original(
                f"{FNN}train.fm.txt",
                3_474_880,
                "sha256:9e7de462cfe384f3c694b8456d2bcb96013be4c1dd1fc3008bb8cfb97dc3481b",
            ),
            Original(
                f"{FNN}test.fm.txt",
                2_752_736,
                "sha256:081cc6b7d8c891592bf792d6f6485a09d9b65bbe21262cc36f6fe58394f7f20a",
            ),
            Original(
                f"{FNN}featindex.fm.txt",
                2_960_702,
                "sha256:378c58e56135890b1261f3d38d3fce53580a04e5d0d2ee08145de819c1bdbb3e",
            ),
        ),
        ("train.libfm.gz", "train.csv.gz", "test.libfm.gz", "test.csv.gz", "features.csv.gz"),
        ipinyou,
        "none are stated with the files, and their repository has no licence: read them, do not pass them on. The log "
        "is that of the iPinYou Global RTB Bidding Algorithm Competition 2013, released for research.",
        "Hairen Liao, Lingxiao Peng, Zhenchuan Liu, Xuehua Shen, iPinYou Global RTB Bidding Algorithm Competition "
        "Dataset, ADKDD 2014. Sample: Weinan Zhang, Tianming Du, Jun Wang, Deep Learning over Multi-field Categorical "
        "Data, ECIR 2016.",
    ),
}

_CRITEO = (
    "The log of the Display Advertising Challenge (2014) is given out by Criteo against acceptance of its terms; "
    "https://www.kaggle.com/c/criteo-display-ad-challenge leads there. Its train.txt is read as it is: "
    "dataset=criteo_kaggle dataset.root=<its folder>."
)
_AVAZU = (
    "The log of the Avazu challenge (2014) is given out against acceptance of the competition's rules, at "
    "https://www.kaggle.com/c/avazu-ctr-prediction. Its train.gz is read as it is: "
    "dataset=avazu_kaggle dataset.root=<its folder>."
)
BY_HAND = {
    "criteo_kaggle": _CRITEO,
    "criteo": f"{_CRITEO} For dataset=criteo cut a sample of it and give it a header: configs/dataset/criteo.yaml.",
    "criteo_libsvm": "It is Criteo's log (see criteo) as the scripts of https://github.com/lambdaji/tf_repos encode "
    "it: 13 scaled numbers, then 26 ids. configs/dataset/criteo_libsvm.yaml names the files.",
    "avazu_kaggle": _AVAZU,
    "avazu": f"{_AVAZU} For dataset=avazu cut a sample of it: configs/dataset/avazu.yaml names files and columns.",
    "movielens_tag": "No file with negatives and a split is published by GroupLens. The positives are tags.dat of "
    "https://files.grouplens.org/datasets/movielens/ml-10m.zip, two negatives each are yours to draw, and the split; "
    f"configs/dataset/movielens_tag.yaml names files and columns. Terms: {GROUPLENS} Cite: {MOVIELENS}",
}
