"""libFFM text: LABEL FIELD:ID:VALUE FIELD:ID:VALUE ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ctr.data.columns.multivalued import slot_places
from ctr.data.readers.base import Block, Parsed, Reject, check_columns, list_of_names
from ctr.data.readers.entries_text import EntriesText, line_blocks, lists


class LibFFM:
    """`names` lists the fields' names by their number: [user, item] are the fields 0 and 1."""

    signed_labels = True

    def __init__(self, *, names: Sequence[str]):
        self.field_names = list_of_names("names", names)
        self.fields: Mapping[str, Any] | None = dict.fromkeys(self.field_names, "entries")
        self.text = EntriesText("FIELD:ID:VALUE")

    def names(self, path: Path) -> list[str]:
        return ["label", *self.field_names]

    def blocks(self, path: Path, columns: Sequence[str]) -> Iterator[Block]:
        check_columns(path, self.names(path), columns)
        return line_blocks(path)

    def parse(self, block: Block, columns: Sequence[str]) -> Parsed:
        entries, rejects = self.text.read(block)
        assert entries.fields is not None
        rows, _ = slot_places(entries.lengths)
        keep = np.ones(len(entries.lengths), dtype=bool)
        unknown = entries.fields >= len(self.field_names)
        for row, field in zip(rows[unknown], entries.fields[unknown], strict=True):
            if keep[row]:
                reason = f"expected fields below {len(self.field_names)}, as reader.names lists them"
                rejects.append(Reject(int(entries.lines[row]), reason, f"field {field}"))
                keep[row] = False
        arrays = {"label": entries.labels.dictionary_encode()}
        arrays |= lists(entries, entries.fields, self.field_names)
        arrays = {name: arrays[name].filter(pa.array(keep)) for name in columns}
        lines = entries.lines[keep]
        return Parsed(arrays, len(lines), sorted(rejects), lambda row: int(lines[row]))


READER = LibFFM
