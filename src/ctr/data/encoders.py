"""Fitted encoders in a folder, and back: what makes slots of raw cells at prediction as it did in preparation."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ctr.data.columns import FieldRecipe, field_recipe
from ctr.data.columns.base import Encoder, Slots, TokenColumn
from ctr.data.shards import fingerprint
from ctr.data.staging import without
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError


@dataclass(frozen=True)
class FieldEncoder:
    """A field from raw cells to slots."""

    recipe: FieldRecipe
    missing: tuple[str, ...]
    encoder: Encoder

    def encode(self, cells: pa.Array) -> Slots:
        """The slots of text cells. Raises UserError for a cell that cannot be read."""
        cells = cells if pa.types.is_nested(cells.type) else cells.dictionary_encode()
        staged = self.recipe.kind.stage(without(cells, self.missing))
        for problem in staged.problems:
            row = int(problem.rows[0])
            where = f"field {self.recipe.name!r}, row {row + 1}"
            raise UserError(f"{where}: {problem.reason}; found {cells[row].as_py()!r}")
        table = None
        if (vocabulary := self.encoder.vocabulary) is not None and isinstance(self.recipe.kind, TokenColumn):
            table = vocabulary.ids(self.recipe.kind.tokens(staged.array).dictionary)
        return self.encoder.slots(staged.array, table)


def save_encoders(
    folder: Path, recipes: Sequence[FieldRecipe], encoders: Sequence[Encoder]
) -> dict[str, dict[str, int | str]]:
    """Writes the states, and the vocabularies as Arrow files. Gives the bytes and the sha256 of every file."""
    folder.mkdir()
    files: dict[str, dict[str, int | str]] = {}
    states: list[dict[str, Any]] = []
    for i, (recipe, encoder) in enumerate(zip(recipes, encoders, strict=True)):
        states.append({"name": recipe.name, "state": encoder.state(), "vocabulary": None})
        if (vocabulary := encoder.vocabulary) is not None:
            path = folder / f"{i:04d}.arrow"
            table = pa.table({"token": vocabulary.tokens, "count": vocabulary.counts})
            with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
                writer.write_table(table)
            states[-1]["vocabulary"] = path.name
            files[f"{folder.name}/{path.name}"] = fingerprint(path)
    path = folder / "encoders.json"
    path.write_text(json.dumps(states), encoding="utf-8")
    return files | {f"{folder.name}/{path.name}": fingerprint(path)}


def load_encoders(folder: Path, recipe: Mapping[str, Any]) -> list[FieldEncoder]:
    """The encoders of a prepared folder, in the order of the schema; `recipe` is that of its manifest."""
    loaded = []
    for entry in json.loads((folder / "encoders.json").read_text(encoding="utf-8")):
        field = field_recipe(entry["name"], recipe["fields"][entry["name"]])
        vocabulary = None
        if entry["vocabulary"] is not None:
            table = pa.ipc.open_file(pa.memory_map(str(folder / entry["vocabulary"]))).read_all()
            token = table["token"].combine_chunks() if table.num_rows else pa.array([], pa.large_string())
            vocabulary = Vocabulary(token, table["count"].to_numpy())
        missing = tuple(recipe["missing"]) if field.missing is None else field.missing
        loaded.append(FieldEncoder(field, missing, field.kind.restore(entry["name"], entry["state"], vocabulary)))
    return loaded
