"""libFM and libSVM text: LABEL ID:VALUE ID:VALUE ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.multivalued import slot_places
from ctr.data.readers.base import Block, Parsed, Reject, check_columns
from ctr.data.readers.entries_text import Entries, EntriesText, line_blocks, lists
from ctr.errors import UserError


class LibFM:
    """How entries become fields:

    - `starts` names the fields and the first id of each, `{user: 0, item: 957}`: a field owns the ids up to the next
      start.
    - `positions` names the fields by their place in the row, with the part that matters: `{price: value, shop: id}`.
      They are then columns like those of a table, for any kind of field, and every row has as many entries.
    - Neither: all ids belong to one field, which FM and NFM read as libFM does; models that think in fields (FNN,
      DeepFM's network) then see the sum of a row.
    """

    signed_labels = True

    def __init__(self, *, starts: Mapping[str, int] | None = None, positions: Mapping[str, str] | None = None):
        for option, given in (("starts", starts), ("positions", positions)):
            if given is not None and not isinstance(given, Mapping):
                raise UserError(f"reader.{option} must map the names of fields, found {given!r}")
        if starts and not all(isinstance(start, int) and not isinstance(start, bool) for start in starts.values()):
            raise UserError(f"reader.starts must give the first id of each field, found {dict(starts)}")
        if starts and positions:
            raise UserError("reader: give starts or positions, not both")
        if positions and (wrong := {part for part in positions.values() if part not in ("id", "value")}):
            raise UserError(f"reader.positions: the part of an entry is id or value, found {wrong.pop()!r}")
        self.starts = dict(starts) if starts else {"features": 0}
        self.positions = dict(positions) if positions else None
        if any(start >= following for start, following in pairwise(self.starts.values())):
            raise UserError(f"starts must rise from field to field, found {self.starts}")
        self.fields: Mapping[str, Any] | None = None if self.positions else dict.fromkeys(self.starts, "entries")
        self.text = EntriesText("ID:VALUE", repeats=self.positions is not None)

    def names(self, path: Path) -> list[str]:
        return ["label", *(self.positions or self.starts)]

    def blocks(self, path: Path, columns: Sequence[str]) -> Iterator[Block]:
        check_columns(path, self.names(path), columns)
        return line_blocks(path)

    def parse(self, block: Block, columns: Sequence[str]) -> Parsed:
        entries, rejects = self.text.read(block)
        wrong = self._misplaced(entries)
        keep = np.ones(len(entries.lengths), dtype=bool)
        for row, reason in wrong.items():
            rejects.append(Reject(int(entries.lines[row]), reason, _shown(entries, row)))
            keep[row] = False
        fields = self._by_position(entries, keep) if self.positions else self._by_start(entries)
        arrays = {"label": entries.labels.dictionary_encode()} | {
            name: fields[name] for name in columns if name != "label"
        }
        arrays = {name: array.filter(pa.array(keep)) for name, array in arrays.items() if name in columns}
        lines = entries.lines[keep]
        return Parsed(arrays, len(lines), sorted(rejects), lambda row: int(lines[row]))

    def _misplaced(self, entries: Entries) -> dict[int, str]:
        if self.positions:
            reason = f"expected {len(self.positions)} entries, one for each of reader.positions"
            return dict.fromkeys(np.flatnonzero(entries.lengths != len(self.positions)).tolist(), reason)
        rows, _ = slot_places(entries.lengths)
        below = rows[entries.ids < next(iter(self.starts.values()))]
        return dict.fromkeys(below.tolist(), f"expected ids from the first field's start on; starts are {self.starts}")

    def _by_start(self, entries: Entries) -> dict[str, pa.Array]:
        of_field = np.searchsorted(np.array(list(self.starts.values())), entries.ids, side="right") - 1
        return lists(entries, of_field, self.starts)

    def _by_position(self, entries: Entries, keep: np.ndarray) -> dict[str, pa.Array]:
        assert self.positions is not None
        rows, places = slot_places(entries.lengths)
        texts = {"id": pa.array(entries.ids).cast(pa.string()), "value": entries.texts}
        empty = pa.array([""] * len(keep), pa.string())
        columns = {}
        for place, (name, part) in enumerate(self.positions.items()):
            there = np.full(len(keep), -1)
            mine = places == place
            there[rows[mine]] = np.flatnonzero(mine)
            taken = texts[part].take(pa.array(there, mask=there < 0))
            columns[name] = pc.coalesce(taken, empty).dictionary_encode()
        return columns


def _shown(entries: Entries, row: int) -> str:
    start = int(entries.lengths[:row].sum())
    parts = [f"{entries.ids[i]}:{entries.texts[i]}" for i in range(start, start + int(entries.lengths[row]))]
    return " ".join([entries.labels[row].as_py(), *parts])


READER = LibFM
