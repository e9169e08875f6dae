"""A dataset of libFM / libSVM text: LABEL ID:VALUE ID:VALUE ..."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch

from ctr.data.module import InMemoryData, Labels, batch_of_slots, refuse_empty, slot_places
from ctr.data.reader import find
from ctr.data.vocabulary import IdVocabulary
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind

LINE = re.compile(r"[^\s:_]+(?:[ \t]+[0-9]+:[^\s:_]+)*")
MAX_ID = 2**63 - 1
MAX_VALUE = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class SparseRows:
    """A file as it stands; N rows, M entries in all."""

    lines: np.ndarray  # (N,) int64, where each row stands in the file
    labels: np.ndarray  # (N,) float64
    lengths: np.ndarray  # (N,) int64, entries a row
    ids: np.ndarray  # (M,) int64
    values: np.ndarray  # (M,) float32


class LibFM:
    """libFM or libSVM text, plain or .gz; values are kept.

    `starts` names the fields and the first id of each, `{user: 0, item: 957}`: a field owns the ids up to the next
    start. With null all ids belong to one multi-valued field, which FM and NFM read as libFM does; models that
    think in fields (FNN, DeepFM's network) then see the sum of a row. Ids that train has not become the field's
    OOV. Binary labels may be 0 and 1, or -1 and 1.
    """

    def __init__(
        self,
        *,
        root: str,
        train: str,
        valid: str,
        test: str,
        labels: Labels,
        starts: Mapping[str, int] | None,
        source: str,
    ):
        self.root, self.labels, self.source = root, labels, source
        self.files = {"train": train, "valid": valid, "test": test}
        self.starts = dict(starts) if starts else {"features": 0}
        if any(start >= following for start, following in pairwise(self.starts.values())):
            raise UserError(f"starts must rise from field to field, found {self.starts}")

    def open(self) -> InMemoryData:
        paths = {split: find(self.root, name, self.source) for split, name in self.files.items()}
        splits = {split: read_libfm(path, self.labels) for split, path in paths.items()}
        for split, rows in splits.items():
            refuse_empty(split, len(rows.labels), paths[split])
        fields = {split: self._field_of_entries(rows, paths[split]) for split, rows in splits.items()}
        encoded = [
            _Encoded.of(name, {split: rows_of_field(rows, fields[split], f) for split, rows in splits.items()})
            for f, name in enumerate(self.starts)
        ]
        schema = FeatureSchema(tuple(part.field for part in encoded))
        batches = {
            split: batch_of_slots(
                [part.slots[split] for part in encoded],
                schema.offsets,
                torch.from_numpy(rows.labels.astype(np.float32)),
            )
            for split, rows in splits.items()
        }
        notes = [f"{part.field.name}: {note}" for part in encoded for note in part.notes]
        return InMemoryData(schema, batches, labels=self.labels, source=str(paths["train"]), notes=tuple(notes))

    def _field_of_entries(self, rows: SparseRows, path: Path) -> np.ndarray:
        field = np.searchsorted(np.array(list(self.starts.values())), rows.ids, side="right") - 1
        if (below := np.flatnonzero(field < 0)).size:
            row = np.searchsorted(rows.lengths.cumsum(), below[0], side="right")
            raise UserError(
                f"{path}, line {rows.lines[row]}: id {rows.ids[below[0]]} lies before the first field's start; starts "
                f"are {self.starts}"
            )
        return field


@dataclass(frozen=True)
class _Encoded:
    """One field of all splits."""

    field: Field
    slots: dict[str, tuple[torch.Tensor, torch.Tensor]]
    notes: list[str]

    @classmethod
    def of(cls, name: str, splits: Mapping[str, SparseRows]) -> _Encoded:
        train = splits["train"]
        vocabulary = IdVocabulary.fit(train.ids)
        num_slots = max(1, *(int(rows.lengths.max(initial=0)) for rows in splits.values()))
        kind = FieldKind.MULTIVALUED
        if num_slots == 1 and len(vocabulary.known) == 1:
            kind = FieldKind.NUMERIC
        elif num_slots == 1 and all((rows.lengths == 1).all() and (rows.values == 1).all() for rows in splits.values()):
            kind = FieldKind.CATEGORICAL
        slots, notes = {}, []
        for split, rows in splits.items():
            row, slot = slot_places(rows.lengths)
            ids = np.zeros((len(rows.lengths), num_slots), dtype=np.int64)
            values = np.zeros(ids.shape, dtype=np.float32)
            ids[row, slot] = vocabulary.ids(rows.ids)
            values[row, slot] = rows.values
            slots[split] = torch.from_numpy(ids), torch.from_numpy(values)
            if unseen := int((ids[row, slot] == 0).sum()):
                notes.append(f"ids that train has not, counted as OOV: {unseen:,} in {split}")
        return cls(Field(name, kind, vocabulary.num_features, num_slots, vocabulary.encoding), slots, notes)


def rows_of_field(rows: SparseRows, field_of_entry: np.ndarray, field: int) -> SparseRows:
    """The rows with only the entries of one field."""
    mine = field_of_entry == field
    row, _ = slot_places(rows.lengths)
    lengths = np.bincount(row[mine], minlength=len(rows.lengths))
    return SparseRows(rows.lines, rows.labels, lengths, rows.ids[mine], rows.values[mine])


def read_libfm(path: Path, labels: Labels) -> SparseRows:
    """The file's rows; binary labels -1 and 1 become 0 and 1.

    Raises UserError, with the line, for what is not `LABEL ID:VALUE ...`, an id beyond int64, an id that stands
    twice in a row, a value or label that is not finite, and binary labels other than {0, 1} or {-1, 1}.
    """
    classes: set[float] = set()
    lines, ys, lengths, ids, values = [], [], [], [], []
    for number, text in _lines(path):
        where = f"{path}, line {number}"
        if LINE.fullmatch(text) is None:
            raise UserError(f"{where}: expected LABEL ID:VALUE ID:VALUE ..., found {text[:80]!r}")
        parts = text.replace(":", " ").split()
        if any(len(digits) > 19 or int(digits) > MAX_ID for digits in parts[1::2]):
            raise UserError(f"{where}: ids must be below 2^63, found {text[:80]!r}")
        row_ids = list(map(int, parts[1::2]))
        try:
            y, row_values = float(parts[0]), list(map(float, parts[2::2]))
        except ValueError as error:
            raise UserError(f"{where}: expected numbers for the label and the values, found {text[:80]!r}") from error
        if not all(abs(x) <= MAX_VALUE for x in (y, *row_values)):
            raise UserError(f"{where}: labels and values must be finite and fit 32 bits, found {text[:80]!r}")
        if labels == "binary" and y not in classes:
            classes.add(y)
            if not (classes <= {0.0, 1.0} or classes <= {-1.0, 1.0}):
                raise UserError(
                    f"{where}: labels must be 0 and 1, or -1 and 1; found {y:g}. Map it, or use task=regression"
                )
        if len(set(row_ids)) < len(row_ids):
            raise UserError(f"{where}: an id stands twice in the row; add its values up into one entry")
        lines.append(number)
        ys.append(y)
        lengths.append(len(row_ids))
        ids += row_ids
        values += row_values
    targets = np.array(ys, dtype=np.float64)
    return SparseRows(
        np.array(lines, dtype=np.int64),
        (targets + 1) / 2 if -1.0 in classes else targets,
        np.array(lengths, dtype=np.int64),
        np.array(ids, dtype=np.int64),
        np.array(values, dtype=np.float32),
    )


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments ("# ..." at the end) and without empty ones."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as file:
            for number, raw in enumerate(file, start=1):
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise UserError(f"{path}, line {number}: expected UTF-8, {error}") from error
                if text := text.partition("#")[0].strip():
                    yield number, text
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: {error}") from error
