"""Fitted encoders, saved and loaded: raw cells at prediction become what they became in preparation."""

import csv
import io

import numpy as np
import pyarrow as pa
import pytest

from ctr.data.encoders import load_encoders
from ctr.errors import UserError
from tests.data.columns import entries_of
from tests.data.small import FIELDS, HEADER, open_rows, rows

SPLITS = ("train", "valid", "test")


def columns(text: str) -> dict[str, list[str]]:
    table = list(csv.reader(io.StringIO(f"{HEADER}\n{text}")))
    return dict(zip(table[0], map(list, zip(*table[1:], strict=True)), strict=True))


def encoded(data, raw: dict[str, list[str]], of: slice) -> tuple[np.ndarray, np.ndarray]:
    """All slots of these rows by the encoders alone."""
    ids, values = [], []
    for encoder, offset in zip(data.encoders(), data.schema.offsets, strict=True):
        slots = encoder.encode(pa.array(raw[encoder.recipe.column][of], pa.string()))
        shape = len(raw["label"][of]), encoder.encoder.field.num_slots
        none = np.broadcast_to(np.arange(shape[1]), shape)
        ids.append((none if slots.ids is None else slots.ids.astype(np.int64)) + offset)
        values.append(np.ones(shape, np.float32) if slots.values is None else slots.values)
    return np.concatenate(ids, axis=1), np.concatenate(values, axis=1)


@pytest.mark.parametrize("missing", [["NA"], ["NA", "-", "u1"], []])
def test_encoders_give_exactly_the_slots_of_the_shards(tmp_path, missing):
    text = rows(200)
    if not missing:  # then NA is no number
        text = text.replace(",NA", ",")
    data = open_rows(tmp_path, text, missing=missing)
    for split, of in zip(SPLITS, (slice(0, 120), slice(120, 160), slice(160, 200)), strict=True):
        ids, values = encoded(data, columns(text), of)
        batch = data.rows(split)
        np.testing.assert_array_equal(ids, batch.ids.numpy())
        np.testing.assert_array_equal(values, batch.values.numpy())


@pytest.mark.parametrize("missing", [[], ["NA"]])
def test_encoders_of_entries_give_exactly_the_slots_of_the_shards(tmp_path, missing):
    cells = [{i % 5: 1.0, 10 + i % 3: i / 4} if i % 4 else {} for i in range(30)]
    lines = [f"{i % 2} " + " ".join(f"{j}:{x}" for j, x in cell.items()) for i, cell in enumerate(cells)]
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    data = open_rows(tmp_path, reader="libfm", fields=None, missing=missing)
    (encoder,) = data.encoders()
    slots = encoder.encode(entries_of(cells[:18]))
    np.testing.assert_array_equal(slots.ids, data.rows("train").ids.numpy())
    np.testing.assert_array_equal(slots.values, data.rows("train").values.numpy())


def test_loaded_encoders_are_the_saved_ones(tmp_path):
    data = open_rows(tmp_path, rows(60))
    loaded = load_encoders(data.folder / "encoders", data.manifest["recipe"])
    assert [encoder.recipe.name for encoder in loaded] == list(FIELDS)
    assert [encoder.encoder.field for encoder in loaded] == list(data.schema.fields)
    again = [
        encoder.recipe.kind.restore(encoder.recipe.name, encoder.encoder.state(), encoder.encoder.vocabulary)
        for encoder in loaded
    ]
    assert [encoder.field for encoder in again] == list(data.schema.fields)


def test_an_empty_vocabulary_is_loaded_too(tmp_path):
    fields = {"rare": {"kind": "categorical", "min_count": 99, "column": "user"}, "row": "numeric"}
    data = open_rows(tmp_path, rows(20), fields=fields)
    slots = data.encoders()[0].encode(pa.array(["u1", "u2"]))
    assert slots.ids.tolist() == [[0], [0]]


def test_unseen_cells_are_oov_and_empty_ones_are_missing(tmp_path):
    data = open_rows(tmp_path, rows(200))
    by_name = {encoder.recipe.name: encoder for encoder in data.encoders()}
    assert by_name["user"].encode(pa.array(["never seen"])).ids.tolist() == [[0]]
    assert by_name["price"].encode(pa.array(["", "NA", " "])).values.tolist() == [[0.0]] * 3
    assert by_name["hour"].encode(pa.array(["NA", "3600"])).ids.tolist() == [[0], [2]]
    item = by_name["item"]
    assert item.encode(pa.array(["-"])).ids.tolist() == item.encode(pa.array([""])).ids.tolist()


def test_a_field_with_missing_texts_of_its_own_has_not_the_datasets(tmp_path):
    """`item` has "-" alone, so that NA is a token of it."""
    data = open_rows(tmp_path, rows(200))
    item = next(encoder for encoder in data.encoders() if encoder.recipe.name == "item")
    tokens = item.encoder.vocabulary.tokens.to_pylist()
    assert "NA" in tokens
    assert "-" not in tokens


def test_tags_beyond_the_slots_are_counted(tmp_path):
    data = open_rows(tmp_path, rows(60))
    tags = next(encoder for encoder in data.encoders() if encoder.recipe.name == "tags")
    assert tags.encode(pa.array(["a|b|a", "", "a|b|b|b"])).dropped == 3


@pytest.mark.parametrize(
    ("field", "cell", "told"),
    [
        ("price", "cheap", "field 'price', row 3: expected a finite number; found 'cheap'"),
        ("log", "1e39", "field 'log', row 3: expected a number of 32 bits"),
        ("hour", "noon", "field 'hour', row 3: expected a finite number; found 'noon'"),
    ],
)
def test_a_cell_that_cannot_be_read_is_refused_with_field_and_row(tmp_path, field, cell, told):
    data = open_rows(tmp_path, rows(60))
    encoder = next(encoder for encoder in data.encoders() if encoder.recipe.name == field)
    with pytest.raises(UserError, match=told):
        encoder.encode(pa.array(["1", "", cell, "2", cell]))
