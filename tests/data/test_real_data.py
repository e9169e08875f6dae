"""Every shipped dataset through its config: rows and positives as its README states them, and nothing rejected."""

import csv
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ctr.app.datasets import open_dataset
from ctr.batch import SPLITS
from ctr.data.prepared import PreparedData
from ctr.data.readers import reader
from ctr.schema import FieldKind
from tests.conftest import ROOT

# rows and positives of the files, by the READMEs; where valid is cut from the train file, by its share
ROWS = {
    "adult": ({"train": 32_561 - 3_256, "valid": 3_256, "test": 16_281}, 7_841, 3_846),  # a tenth of 32,561
    "avazu": ({"train": 8_087, "valid": 480, "test": 432}, 1_397 + 86, 80),
    "criteo": ({"train": 7_200, "valid": 409, "test": 391}, 1_549 + 93, 86),
    "criteo_libsvm": ({"train": 10_000 - 1_000, "valid": 1_000, "test": 10_000}, 2_172, 2_323),
    "frappe": ({"train": 202_027, "valid": 57_722, "test": 28_860}, 67_604 + 19_063, 9_536),
    "frappe_libfm": ({"train": 202_027, "valid": 57_722, "test": 28_860}, 67_604 + 19_063, 9_536),
    "ipinyou": ({"train": 26_773 - 2_677, "valid": 2_677, "test": 21_150}, 255, 50),  # the last tenth of 26,773
    "movielens_tag": ({"train": 200_718, "valid": 57_348, "test": 28_674}, 67_188 + 18_992, 9_400),
}
OWN_VALID = {"avazu": 86, "criteo": 93, "frappe": 19_063, "frappe_libfm": 19_063, "movielens_tag": 18_992}
NUM_FIELDS = {
    "adult": 14, "avazu": 21, "criteo": 39, "criteo_libsvm": 39, "frappe": 10, "frappe_libfm": 10, "ipinyou": 16,
    "movielens_tag": 3,
}  # fmt: skip


@pytest.fixture(scope="module")
def shipped() -> Path:
    """The folder of all datasets. With CTR_DATA set they have to be there; without, the tests are skipped."""
    if (root := os.environ.get("CTR_DATA")) is None:
        pytest.skip("set CTR_DATA to the folder of the datasets; README, section Data, says how to get them")
    return (ROOT / root).resolve()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def opened(name: str, shipped: Path, cache: Path, *overrides: str) -> PreparedData:
    folder = name.removesuffix("_libfm").replace("_", "-")
    folder = {"criteo": "criteo-raw"}.get(folder, folder)
    if not (shipped / folder).is_dir():
        pytest.fail(f"CTR_DATA is set, but {shipped} has no folder {folder}")
    data = open_dataset(name, [f"dataset.root={shipped / folder}", f"dataset.cache={cache}", *overrides])
    assert isinstance(data, PreparedData)
    return data


@pytest.mark.parametrize("name", ROWS)
def test_rows_and_positives_are_those_of_the_readme(shipped, cache, name):
    rows, positives, of_test = ROWS[name]
    data = opened(name, shipped, cache)
    labels = {split: data.rows(split).labels for split in SPLITS}
    assert {split: len(labels[split]) for split in SPLITS} == rows
    assert {*torch.cat(list(labels.values())).tolist()} == {0.0, 1.0}
    assert int(labels["train"].sum() + labels["valid"].sum()) == positives
    assert int(labels["test"].sum()) == of_test
    if name in OWN_VALID:
        assert int(labels["valid"].sum()) == OWN_VALID[name]
    told = data.manifest["rows"]
    assert (told["read"], told["rejected"], told["dropped_negatives"]) == (sum(rows.values()), {}, 0)
    assert len(data.schema.fields) == NUM_FIELDS[name]
    for split in SPLITS:
        batch = data.rows(split)
        offsets = torch.tensor([data.schema.offsets[f] for f in data.schema.slot_fields])
        sizes = torch.tensor([data.schema.fields[f].num_features for f in data.schema.slot_fields])
        assert ((batch.ids >= offsets) & (batch.ids < offsets + sizes)).all()
        assert batch.values.isfinite().all()


@pytest.mark.parametrize("fold", [1, 2, 3, 4, 5])
def test_the_folds_of_movielens_are_the_official_splits(shipped, cache, fold):
    data = opened("movielens_100k", shipped, cache, "task=regression", f"dataset.split.fold={fold}")
    assert {split: len(data.rows(split)) for split in SPLITS} == {"train": 72_000, "valid": 8_000, "test": 20_000}
    with gzip.open(shipped / "movielens-100k" / "ratings.csv.gz", "rt", encoding="utf-8", newline="") as file:
        ratings = [(float(row["rating"]), row["fold"]) for row in csv.DictReader(file)]
    assert data.rows("test").labels.tolist() == [rating for rating, of in ratings if of == str(fold)]
    labels = torch.cat([data.rows(split).labels for split in SPLITS]).double()
    assert labels.mean().item() == pytest.approx(3.52986)
    assert {*labels.tolist()} == {1, 2, 3, 4, 5}
    assert data.manifest["rows"]["rejected"] == {}
    kinds = {field.name: (field.kind, field.num_slots) for field in data.schema.fields}
    assert kinds["genres"] == (FieldKind.MULTIVALUED, 6)
    assert kinds["user"] == (FieldKind.CATEGORICAL, 1)
    assert torch.cat([data.rows(split).groups for split in SPLITS]).unique().numel() == 943


def columns(path: Path, spec, names: list[str]) -> dict[str, list]:
    made = reader(spec)
    found: dict[str, list] = {name: [] for name in names}
    for block in made.blocks(path, names):
        parsed = made.parse(block, names)
        assert parsed.rejects == []
        for name in names:
            found[name] += parsed.columns[name].to_pylist()
    return found


@pytest.mark.parametrize("part", ["train", "test"])
def test_both_forms_of_criteo_libsvm_have_the_same_cells(shipped, part):
    numbers, tokens = [f"I{i}" for i in range(1, 14)], [f"C{i}" for i in range(1, 27)]
    names = ["label", *numbers, *tokens]
    spec = {"format": "libsvm", "positions": dict.fromkeys(numbers, "value") | dict.fromkeys(tokens, "id")}
    of_csv = columns(shipped / "criteo-libsvm" / f"{part}.csv.gz", "csv", names)
    of_libsvm = columns(shipped / "criteo-libsvm" / f"{part}.libsvm.gz", spec, names)
    assert len(of_csv["label"]) == len(of_libsvm["label"]) == 10_000
    for name in ["label", *numbers]:
        np.testing.assert_array_equal(np.float64(of_csv[name]), np.float64(of_libsvm[name]), err_msg=name)
    assert {name: of_libsvm[name] for name in tokens} == {name: of_csv[name] for name in tokens}


IPINYOU = {
    "weekday": 5, "hour": 25, "useragent": 14, "IP": 131_235, "region": 35, "city": 367, "adexchange": 2, "domain": 800,
    "slotid": 961, "slotwidth": 2, "slotheight": 2, "slotvisibility": 4, "slotformat": 2, "creative": 4,
    "advertiser": 2, "slotprice": 5,
}  # fmt: skip


def test_both_forms_of_ipinyou_encode_alike_up_to_renaming(shipped, cache):
    starts = dict(zip(IPINYOU, np.cumsum([0, *IPINYOU.values()]).tolist(), strict=False))
    listed = ", ".join(f"{name}: {start}" for name, start in starts.items())
    every = ", ".join(f"{name}: categorical" for name in IPINYOU)
    table = opened("ipinyou", shipped, cache, "~dataset.fields", f"+dataset.fields={{{every}}}")
    form = [f"dataset.reader={{format: libfm, starts: {{{listed}}}}}", "~dataset.fields", "+dataset.fields=null"]
    files = ["dataset.train=train.libfm.gz", "dataset.test=test.libfm.gz"]
    libfm = opened("ipinyou", shipped, cache, *form, *files)
    assert [field.name for field in libfm.schema.fields] == list(IPINYOU)
    for split in SPLITS:
        assert torch.equal(table.rows(split).labels, libfm.rows(split).labels)
    of_table, of_libfm = (torch.cat([data.rows(split).ids for split in SPLITS]) for data in (table, libfm))
    for f in range(16):
        pairs = torch.stack([of_table[:, f], of_libfm[:, f]], 1).unique(dim=0)
        assert len(pairs) == of_table[:, f].unique().numel() == of_libfm[:, f].unique().numel()


def test_names_of_nothing_are_values_in_ipinyou_and_movielens(shipped, cache):
    every = ["~dataset.fields", "+dataset.fields={adexchange: categorical, slotformat: categorical}"]
    data = opened("ipinyou", shipped, cache, *every)
    vocabularies = {one.recipe.name: one.encoder.vocabulary.tokens.to_pylist() for one in data.encoders()}
    assert "null" in vocabularies["adexchange"]
    assert "Na" in vocabularies["slotformat"]
    tags = opened("movielens_tag", shipped, cache).encoders()[2].encoder.vocabulary.tokens.to_pylist()
    assert {"NA", "Na"} <= set(tags)


def test_missing_cells_of_adult_are_those_of_its_readme(shipped, cache):
    data = opened("adult", shipped, cache)
    places = {field.name: f for f, field in enumerate(data.schema.fields)}
    for name, missing in {"workclass": 2_799, "occupation": 2_809, "native_country": 857}.items():
        f = places[name]
        vocabulary = data.encoders()[f].encoder.vocabulary.tokens.to_pylist()
        empty = data.schema.offsets[f] + 1 + vocabulary.index("")
        slot = data.schema.slot_fields.index(f)
        assert sum(int((data.rows(split).ids[:, slot] == empty).sum()) for split in SPLITS) == missing
