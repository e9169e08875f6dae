"""Several tokens a cell, a slot each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import UNSEEN, Problem, Slots, Staged, at_least, numbers, one_of
from ctr.data.vocabulary import Vocabulary
from ctr.errors import UserError
from ctr.schema import Field, FieldKind


class MultiValued:
    """Tokens divided by `separator`, each with a slot of its own.

    `max_items`: slots kept, null for as many as the longest cell of train has; tokens beyond them are dropped from
    the end of the cell and counted. `pooling`: "sum" gives every token its weight as value, "mean" its share of the
    kept weights. `item_weights` is the text between a token and its weight, ":" in "drama:0.5|war:2"; null: all weigh
    1. `min_count` and `max_features` as in a categorical field. A shared vocabulary counts the tokens of all its
    fields.
    """

    of_numbers = False

    def __init__(
        self,
        *,
        separator: str,
        max_items: int | None = None,
        pooling: Literal["sum", "mean"] = "sum",
        item_weights: str | None = None,
        min_count: int = 1,
        max_features: int | None = None,
    ):
        one_of("pooling", pooling, ("sum", "mean"))
        for name, text in (("separator", separator), ("item_weights", item_weights)):
            if (not isinstance(text, str) or not text) and (name == "separator" or text is not None):
                raise UserError(f"{name} must be text and not be empty, found {text!r}")
        if max_items is not None:
            at_least("max_items", max_items, 1)
        at_least("min_count", min_count, 1)
        if max_features is not None:
            at_least("max_features", max_features, 2)
        self.separator, self.max_items, self.pooling, self.item_weights = separator, max_items, pooling, item_weights
        self.min_count, self.max_features = min_count, max_features

    def stage(self, cells: pa.Array) -> Staged:
        """A list of {token, weight} a cell."""
        tokens, lengths = _split(cells.cast(pa.string()), self.separator)
        weights, problems = pa.array(np.ones(len(tokens))), []
        if self.item_weights is not None:
            tokens, weights, wrong = _weighted(tokens, self.item_weights)
            rows = np.unique(np.repeat(np.arange(len(lengths)), lengths)[wrong])
            if len(rows):
                problems.append(Problem(rows, f"expected items of the form TOKEN{self.item_weights}WEIGHT"))
        offsets = pa.array(np.concatenate([[0], lengths.cumsum()]), pa.int32())
        items = pa.StructArray.from_arrays([tokens.dictionary_encode(), weights], ["token", "weight"])
        return Staged(pa.ListArray.from_arrays(offsets, items), problems)

    def tokens(self, staged: pa.Array) -> pa.DictionaryArray:
        return staged.flatten().field("token")

    def vocabulary(self, tokens: pa.Array, counts: np.ndarray) -> Vocabulary:
        return Vocabulary.fit(tokens, counts, self.min_count, self.max_features)

    def fit_tokens(
        self, name: str, vocabulary: Vocabulary, owner: str | None, train: Iterable[pa.Array]
    ) -> FittedMultiValued:
        longest = (pc.max(pc.list_value_length(array)).as_py() or 0 for array in train)
        num_slots = self.max_items or max([1, *longest])
        return FittedMultiValued(name, vocabulary, num_slots, self.pooling, owner)

    def restore(self, name: str, state: Mapping[str, Any], vocabulary: Vocabulary | None) -> FittedMultiValued:
        assert vocabulary is not None
        return FittedMultiValued(name, vocabulary, state["num_slots"], self.pooling, state["owner"])


class FittedMultiValued:
    zero = UNSEEN

    def __init__(self, name: str, vocabulary: Vocabulary, num_slots: int, pooling: str, owner: str | None = None):
        self.vocabulary, self.pooling, self.owner = vocabulary, pooling, owner
        encoding = f"{vocabulary.encoding}-{pooling}"
        self.field = Field(name, FieldKind.MULTIVALUED, vocabulary.num_features, num_slots, encoding, owner)

    def slots(self, staged: pa.Array, table: np.ndarray | None) -> Slots:
        assert table is not None
        items = staged.flatten()
        ids = table[items.field("token").indices.to_numpy(zero_copy_only=False)]
        weights = items.field("weight").to_numpy(zero_copy_only=False)
        lengths = pc.list_value_length(staged).to_numpy(zero_copy_only=False)
        return fill(lengths, ids, weights, self.field.num_slots, self.pooling)

    def state(self) -> dict[str, Any]:
        return {"num_slots": self.field.num_slots, "owner": self.owner}


def fill(lengths: np.ndarray, ids: np.ndarray, weights: np.ndarray, num_slots: int, pooling: str) -> Slots:
    """Items laid end to end, `lengths` of them a row, into `num_slots` slots a row; unused slots have id 0, value 0."""
    rows, slots = slot_places(lengths)
    kept = slots < num_slots
    rows, slots, ids, weights = rows[kept], slots[kept], ids[kept], weights[kept]
    if pooling == "mean":
        totals = np.bincount(rows, weights, minlength=len(lengths))[rows]
        weights = np.divide(weights, totals, out=np.zeros(len(weights)), where=totals > 0)
    all_ids = np.zeros((len(lengths), num_slots), dtype=ids.dtype)
    values = np.zeros(all_ids.shape, dtype=np.float32)
    all_ids[rows, slots] = ids
    values[rows, slots] = weights
    return Slots(all_ids, values, int((~kept).sum()))


def slot_places(lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For rows of these lengths laid end to end: the row of each entry, and its place in that row."""
    lengths = lengths.astype(np.int64)
    rows = np.repeat(np.arange(len(lengths)), lengths)
    return rows, np.arange(len(rows)) - np.repeat(lengths.cumsum() - lengths, lengths)


def _split(cells: pa.Array, separator: str) -> tuple[pa.Array, np.ndarray]:
    """All tokens of the column in one array, and how many each cell has; an empty cell has none."""
    lists = pc.split_pattern(cells, separator)
    tokens = lists.flatten()
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    empty = pc.equal(cells, "").to_numpy(zero_copy_only=False)  # "" splits into one empty token
    if empty.any():
        tokens = tokens.filter(pa.array(~np.repeat(empty, lengths)))
        lengths = np.where(empty, 0, lengths)
    return tokens, lengths


def _weighted(items: pa.Array, mark: str) -> tuple[pa.Array, pa.Array, np.ndarray]:
    """Tokens and weights of items such as drama:0.5, and which are not of that form or weigh below 0."""
    parts = [text.rpartition(mark) for text in items.to_pylist()]
    tokens = pa.array([token for token, _, _ in parts], pa.string())
    weights, problems = numbers(pa.array([weight for _, _, weight in parts], pa.string()).dictionary_encode())
    wrong = np.array([not found for _, found, _ in parts], dtype=bool)
    for problem in problems:
        wrong[problem.rows] = True
    x = pc.fill_null(weights, -1.0)
    wrong |= ~pc.greater_equal(x, 0.0).to_numpy(zero_copy_only=False)
    return tokens, x, wrong


KIND = MultiValued
