"""Names of features: what stood in the cells, as pandas reads and counts them, for every kind of field."""

import numpy as np
import pandas as pd
import pytest

from ctr.data import Synthetic, from_frames
from ctr.data import rows as stored
from ctr.data.field_names import MISSING, NUMBER, UNKNOWN
from ctr.data.names import Feature, Names
from ctr.errors import UserError
from tests.data.small import open_rows, rows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Rows with a field of every kind."""
    return open_rows(tmp_path_factory.mktemp("names"), rows(200))


@pytest.fixture(scope="module")
def names(data):
    return Names(data)


def cells(data) -> pd.DataFrame:
    """The cells of train as text, in the order of its rows."""
    path = data.folder.parent.parent / "train.csv"
    return pd.read_csv(path, dtype=str, keep_default_na=False).iloc[: data.num_rows("train")]


def tokens_of(data, names, field: str) -> list[list[str]]:
    """The names in the used slots of each row of train."""
    batch, slots = data.rows("train"), list(data.schema.slots([field]))
    ids, values = batch.ids[:, slots].tolist(), batch.values[:, slots].tolist()
    return [[names.token(i) for i, x in zip(*row, strict=True) if x] for row in zip(ids, values, strict=True)]


def test_tokens_are_what_stood_in_the_cells(data, names):
    text = cells(data)
    assert tokens_of(data, names, "user") == [[token] for token in text.user]
    kept = text.item[~text.item.isin(["-", "NA", ""])].value_counts()
    kept = set(kept[kept >= 2].index)
    expected = [MISSING if token in ("-", "") else token if token in kept | {"NA"} else UNKNOWN for token in text.item]
    assert tokens_of(data, names, "item") == [[token] for token in expected]
    assert tokens_of(data, names, "tags") == [cell.split("|")[:2] if cell else [] for cell in text.tags]
    hours = pd.to_datetime(text.ts.astype(int), unit="s").dt.hour
    assert tokens_of(data, names, "hour") == [[f"{hour} h"] for hour in hours]


def test_a_number_is_in_the_bin_of_its_name(data, names):
    for cell, (token,) in zip(cells(data).price, tokens_of(data, names, "bin"), strict=True):
        if cell in ("", "NA"):
            assert token == MISSING
        else:
            low, high = (float(edge.replace("∞", "inf")) for edge in token.strip("[)").split(","))
            assert low <= float(cell) < high


def test_numbers_and_their_bases_have_names(data, names):
    assert names.describe([names.find("price=(number)")])[0].token == NUMBER
    line = [names.token(i) for i in ids_of(data, "line")]
    knots = [float(token.removeprefix("knot ")) for token in line]
    assert knots == sorted(knots)
    assert [names.token(i) for i in ids_of(data, "wave")] == ["sine 1", "sine 2", "cosine 1", "cosine 2"]


def ids_of(data, field: str) -> range:
    index = data.schema.select([field])[0]
    start = data.schema.offsets[index]
    return range(start, start + data.schema.fields[index].num_features)


def test_counts_are_those_of_the_rows(data, names, monkeypatch):
    monkeypatch.setattr(stored, "SPAN", 32)
    text, again = cells(data), Names(data)
    shared = 2 * text.user.value_counts()  # the field `last` has the same tokens
    for user, count in shared.items():
        found = again.describe([again.find(f"user={user}")])[0]
        assert (found.field, found.token, found.count) == ("user", user, count)
    tags = pd.Series([tag for cell in text.tags if cell for tag in cell.split("|")[:2]]).value_counts()
    assert {tag: again.counts[again.find(f"tags={tag}")] for tag in tags.index} == tags.to_dict()
    batch = data.rows("train")
    assert again.counts.sum() == int((batch.values != 0).sum())
    np.testing.assert_array_equal(names.counts, again.counts)


def test_every_name_finds_its_id(data, names):
    for i in range(data.schema.num_features):
        feature = names.describe([i])[0]
        kind = data.schema.fields[data.schema.select([feature.field])[0]].name
        if kind != "bucket":  # any text has a bucket
            assert names.find(f"{feature.field}={feature.token}") == i
        assert names.find(str(i)) == i


def test_a_token_finds_its_bucket(data, names):
    text = cells(data)
    slot = data.schema.slots(["bucket"])[0]
    ids = data.rows("train").ids[:, slot].tolist()
    assert [names.find(f"bucket={item}") for item in text.item[:50] if item not in ("NA", "")] == [
        i for i, item in zip(ids, text.item[:50], strict=False) if item not in ("NA", "")
    ]


def test_shared_ids_go_by_their_owner(names):
    assert names.find("last=u1") == names.find("user=u1")
    assert names.describe([names.find("last=u1")])[0].field == "user"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("usr=u1", "no field 'usr'.*did you mean 'user'"),
        ("user=u11", "field 'user' has no feature 'u11' in train; did you mean 'u1'"),
        ("user", "FIELD=TOKEN, as in row="),
        ("99999", "no feature 99999; ids run from 0 to"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(names, text, message):
    with pytest.raises(UserError, match=message):
        names.find(text)


def test_data_without_cells_have_numbers_for_names():
    sizes = {"num_train": 50, "num_valid": 20, "num_test": 20, "num_fields": 2, "vocabulary": 5}
    names = Names(Synthetic(**sizes, zipf=1.0, effects=[1.0], rank=1, rate=0.5, seed=1).open())
    assert names.token(0) == UNKNOWN
    assert str(names.describe([1])[0]) == "field_0=id 1"
    assert names.counts.sum() == 100


def test_texts_of_strangers_stand_on_one_line():
    evil = "a\n\x1b[31mb" + "c" * 100
    frame = pd.DataFrame({"label": ["0", "1"] * 3, "user": [evil, "u"] * 3})
    names = Names(from_frames(frame, frame, frame, fields={"user": "categorical"}))
    feature = names.describe([names.find(f"user={evil}")])[0]
    assert feature == Feature(1, "user", feature.token, 3)
    assert feature.token.isprintable()
    assert len(feature.token) < 70
