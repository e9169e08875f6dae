"""Lines of a label and entries, LABEL a:b a:b ...: what libFM, libSVM and libFFM have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from ctr.data.columns.base import FLOAT32_MAX, is_number
from ctr.data.columns.entries import ENTRY
from ctr.data.columns.multivalued import slot_places
from ctr.data.readers.base import BLOCK_BYTES, Block, Reject
from ctr.data.readers.text import pieces
from ctr.errors import UserError

MAX_ID = 2**63 - 1
SPACES = bytes.maketrans(b" \t:\r", b"\n\n\n\n")


@dataclass(frozen=True)
class Entries:
    """The rows of a block. M entries in all, in `parts` arrays: field (libFFM), id, value."""

    labels: pa.Array  # (n,) text
    lengths: np.ndarray  # (n,) int64, entries a row
    fields: np.ndarray | None  # (M,) int64
    ids: np.ndarray  # (M,) int64
    texts: pa.Array  # (M,) text: the values as they stand
    values: np.ndarray  # (M,) float64
    lines: np.ndarray  # (n,) int64


def line_blocks(path: Path) -> Iterator[Block]:
    pending, line, position = b"", 1, 0
    for piece, position in pieces(path):
        pending += piece
        end = pending.rfind(b"\n") + 1
        if end:
            yield Block(path, pending[:end], line, position)
            line += pending.count(b"\n", 0, end)
            pending = pending[end:]
        elif len(pending) > 4 * BLOCK_BYTES:
            raise UserError(f"{path}, line {line}: a line of more than {len(pending) >> 20} MiB; is this a text file?")
    if pending:
        yield Block(path, pending, line, position)


class EntriesText:
    """Reads blocks of such lines. `form` is the shape of an entry, for messages: ID:VALUE or FIELD:ID:VALUE. `repeats`:
    an id may stand twice in a row."""

    def __init__(self, form: str, repeats: bool = False):
        self.form, self.parts, self.repeats = form, form.count(":") + 1, repeats
        number = r"[0-9]{1,19}:" * (self.parts - 1)
        letters = r"[^\s:_#\x00-\x1f]+"
        self.line = re.compile(rf"{letters}(?:[ \t]+{number}{letters})*[ \t]*\r?".encode())
        self.block = re.compile(rb"(?:" + self.line.pattern + rb"\n)*")

    def read(self, block: Block) -> tuple[Entries, list[Reject]]:
        """The rows of a block, without comments ("# ..." to the end of a line) and blank lines; and the rejects: what
        is not LABEL and entries, ids of 2^63 and more, values that are not finite numbers of 32 bits, an id that
        stands twice in a row."""
        content: bytes = block.content if block.content.endswith(b"\n") else block.content + b"\n"
        lines = np.arange(block.first, block.first + content.count(b"\n"))
        rejects: list[Reject] = []
        if self.block.fullmatch(content) is None or not content.isascii():
            content, lines, rejects = self._good_lines(content, block.first)
        try:
            entries = self._parse(content, lines)
            wrong = self._wrong(entries)
        except pa.ArrowInvalid:  # a text that is no number, an id beyond int64
            content, lines, more = self._numbered_lines(content, lines)
            entries = self._parse(content, lines)
            rejects += more
            wrong = self._wrong(entries)
        if wrong:
            texts = content.decode().split("\n")
            rejects += [Reject(int(lines[row]), reason, texts[row].strip()) for row, reason in wrong.items()]
            keep = [i for i in range(len(lines)) if i not in wrong]
            content, lines = "".join(f"{texts[i]}\n" for i in keep).encode(), lines[keep]
            entries = self._parse(content, lines)
        return entries, sorted(rejects)

    def _good_lines(self, content: bytes, first: int) -> tuple[bytes, np.ndarray, list[Reject]]:
        good, lines, rejects = [], [], []
        for number, raw in enumerate(content[:-1].split(b"\n"), start=first):
            text = raw.partition(b"#")[0].strip()
            if not text:
                continue
            try:
                shown = text.decode()
            except UnicodeDecodeError:
                rejects.append(Reject(number, "expected UTF-8", ascii(text)[2:-1]))
                continue
            if self.line.fullmatch(text) and text.isascii():
                good.append(text + b"\n")
                lines.append(number)
            else:
                long = re.search(r"(?:^|[\s:])[0-9]{20,}:", shown)
                reason = "expected ids below 2^63" if long else f"expected LABEL {self.form} {self.form} ..."
                rejects.append(Reject(number, reason, shown))
        return b"".join(good), np.array(lines, dtype=np.int64), rejects

    def _numbered_lines(self, content: bytes, lines: np.ndarray) -> tuple[bytes, np.ndarray, list[Reject]]:
        """The lines whose numbers are numbers."""
        good, kept, rejects = [], [], []
        for raw, number in zip(content[:-1].split(b"\n") if content else [], lines.tolist(), strict=True):
            label, *tokens = raw.decode().replace(":", " ").split()
            reason = None
            if any(int(token) > MAX_ID for i, token in enumerate(tokens) if i % self.parts < self.parts - 1):
                reason = "expected ids below 2^63"
            elif not all(map(is_number, [label, *tokens[self.parts - 1 :: self.parts]])):
                reason = "expected numbers for the label and the values"
            if reason is None:
                good.append(raw + b"\n")
                kept.append(number)
            else:
                rejects.append(Reject(number, reason, raw.decode().strip()))
        return b"".join(good), np.array(kept, dtype=np.int64), rejects

    def _parse(self, content: bytes, lines: np.ndarray) -> Entries:
        letters = np.frombuffer(content, dtype=np.uint8)
        newlines = np.flatnonzero(letters == ord("\n"))
        colons = np.flatnonzero(letters == ord(":"))
        counts = np.diff(np.searchsorted(colons, newlines), prepend=0)
        lengths = counts // (self.parts - 1)
        tokens = _tokens(content)
        widths = 1 + lengths * self.parts
        starts = widths.cumsum() - widths
        is_label = np.zeros(len(tokens), dtype=bool)
        is_label[starts] = True
        rest = tokens.filter(pa.array(~is_label))
        of_part = [rest.take(pa.array(np.arange(i, len(rest), self.parts))) for i in range(self.parts)]
        numbers = [part.cast(pa.int64()).to_numpy() for part in of_part[:-1]]
        labels = tokens.filter(pa.array(is_label))
        labels.cast(pa.float64())
        values = of_part[-1].cast(pa.float64()).to_numpy()
        return Entries(
            labels, lengths, numbers[0] if self.parts == 3 else None, numbers[-1], of_part[-1], values, lines
        )

    def _wrong(self, entries: Entries) -> dict[int, str]:
        """Rows that are no rows, and why."""
        rows, _ = slot_places(entries.lengths)
        wrong: dict[int, str] = {}
        labels = entries.labels.cast(pa.float64()).to_numpy()
        beyond = np.concatenate(
            [np.flatnonzero(~(abs(labels) <= FLOAT32_MAX)), rows[~(abs(entries.values) <= FLOAT32_MAX)]]
        )
        wrong |= dict.fromkeys(beyond.tolist(), "expected labels and values that are finite and fit 32 bits")
        if self.repeats:
            return wrong
        order = np.lexsort((entries.ids, rows))
        again = (np.diff(rows[order]) == 0) & (np.diff(entries.ids[order]) == 0)
        if entries.fields is not None:
            order = np.lexsort((entries.ids, entries.fields, rows))
            again = (
                (np.diff(rows[order]) == 0) & (np.diff(entries.ids[order]) == 0) & (np.diff(entries.fields[order]) == 0)
            )
        twice = rows[order][1:][again]
        return wrong | dict.fromkeys(
            twice.tolist(), "expected every id once a row; this row has one twice: add them up"
        )


def lists(entries: Entries, of_field: np.ndarray, names: Iterable[str]) -> dict[str, pa.Array]:
    """The entries of each field, a list a row. `of_field`: (M,) the field of every entry, by its number in `names`."""
    rows, _ = slot_places(entries.lengths)
    columns = {}
    for field, name in enumerate(names):
        mine = of_field == field
        lengths = np.bincount(rows[mine], minlength=len(entries.lengths))
        offsets = pa.array(np.concatenate([[0], lengths.cumsum()]), pa.int32())
        pairs = [pa.array(entries.ids[mine]), pa.array(entries.values[mine])]
        columns[name] = pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(pairs, fields=list(ENTRY)))
    return columns


def _tokens(content: bytes) -> pa.Array:
    """All numbers of the text, one after another."""
    if not content:
        return pa.array([], pa.string())
    table = arrow_csv.read_csv(
        pa.BufferReader(content.translate(SPACES)),
        arrow_csv.ReadOptions(use_threads=False, column_names=["token"], block_size=len(content) + 64),
        arrow_csv.ParseOptions(delimiter="\x1f", quote_char=False, ignore_empty_lines=True),
        arrow_csv.ConvertOptions(column_types={"token": pa.string()}, strings_can_be_null=False),
    )
    return table["token"].combine_chunks()
