"""The columns that are no fields: label, weight, group, time."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ctr.data.columns.base import FLOAT32_MAX, Problem, Staged, is_number, numbers
from ctr.data.columns.time import read_times
from ctr.data.module import Labels
from ctr.errors import UserError

FEW = 4  # texts that an example shows
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")  # keys that Hydra's command line takes; it takes none with quotes


class Label:
    """Numbers, or, with `values`, the texts that stand for them. Binary labels are 0 and 1; -1 and 1 where the format
    has that custom (`signed`)."""

    def __init__(self, labels: Labels, values: Mapping[str, float] | None, signed: bool):
        if values is not None:
            numbers = list(values.values())
            if not numbers or not all(isinstance(x, (int, float)) and abs(x) <= FLOAT32_MAX for x in numbers):
                raise UserError(f"label_values must give a number for every text, found {dict(values)}")
            if labels == "binary" and not set(numbers) <= {0, 1}:
                raise UserError(f"label_values: binary labels are 0 and 1, found {dict(values)}")
        self.labels, self.values, self.signed = labels, values, signed

    def stage(self, cells: pa.DictionaryArray) -> Staged:
        if self.values is not None:
            texts = pa.array([str(text) for text in self.values], pa.string())
            found = pc.index_in(cells.cast(pa.string()), value_set=texts)
            x = pa.array([float(number) for number in self.values.values()]).take(found)
            unknown = np.flatnonzero(pc.is_null(x).to_numpy(zero_copy_only=False))
            reason = f"expected one of label_values, {', '.join(map(repr, self.values))}"
            cure = "give it a number in label_values too, or leave such rows out: dataset.bad_rows=reject"
            return Staged(x, [Problem(unknown, reason, cure)] if len(unknown) else [])
        x, problems = _present(cells)
        if problems and (cure := _label_values(cells.dictionary)):
            problems = [problem._replace(cure=cure) for problem in problems]
        if self.labels == "real":
            return Staged(x, problems)
        allowed = (0.0, 1.0, -1.0) if self.signed else (0.0, 1.0)
        wrong = ~np.isin(x.to_numpy(zero_copy_only=False), allowed)
        for problem in problems:
            wrong[problem.rows] = False  # told already
        if wrong.any():
            expected = "0 and 1, or -1 and 1" if self.signed else "0 or 1"
            reason = f"expected labels {expected}; map them by label_values, or use task=regression"
            problems = [*problems, Problem(np.flatnonzero(wrong), reason)]
        return Staged(x, problems)


def check_keys(values: Mapping[Any, float]) -> None:
    """Raises UserError for texts of label_values that YAML has made something else."""
    if lost := [key for key in values if key is None or isinstance(key, bool)]:
        raise UserError(
            f"label_values: the keys have to be the texts of the labels, and {lost[0]} is none. YAML reads an unquoted "
            f"yes, no, on, off, true or false as a boolean (the command line true and false), null as nothing: put "
            f"quotes around it in the dataset's YAML file, as in {{'yes': 1, 'no': 0}}; found {dict(values)}"
        )


def _label_values(cells: pa.Array) -> str:
    """How to give labels that are texts their numbers; nothing where one of them is a number. Which is 1 is a guess:
    the last by the alphabet."""
    texts = sorted({text for text in cells.to_pylist() if text.strip()}, reverse=True)
    if not texts or any(is_number(text.strip()) for text in texts) or max(map(len, texts)) > 40:
        return ""
    numbers = {text: int(text == texts[0]) for text in texts[:FEW]}
    more = ", ..." if len(texts) > FEW else ""
    if all(PLAIN.fullmatch(text) and text.lower() not in ("true", "false", "null") for text in numbers):
        mapping = ", ".join(f"{text}: {number}" for text, number in numbers.items())
        example = f"'dataset.label_values={{{mapping}{more}}}'"
    else:
        example = f"label_values: {json.dumps(numbers, ensure_ascii=False)[:-1]}{more}}} in the dataset's YAML file"
    return f"these labels are texts: say which number each of them is, as in {example}"


class Weight:
    """How much a row counts: a number of at least 0."""

    def stage(self, cells: pa.Array) -> Staged:
        x, problems = _present(cells)
        negative = np.flatnonzero(pc.fill_null(pc.less(x, 0.0), False).to_numpy(zero_copy_only=False))
        if len(negative):
            problems = [*problems, Problem(negative, "expected a weight that is not negative")]
        return Staged(x, problems)


class Group:
    """Whom a row belongs to, as text."""

    def stage(self, cells: pa.Array) -> Staged:
        return Staged(cells, [])


class When:
    """The time of a row, in seconds since 1970."""

    def __init__(self, format: str):
        self.format = format

    def stage(self, cells: pa.Array) -> Staged:
        seconds, problems = read_times(cells, self.format)
        return _refuse_empty(seconds, problems, "expected a time, found an empty cell")


def _present(cells: pa.Array) -> Staged:
    x, problems = numbers(cells)
    return _refuse_empty(x, problems, "expected a number, found an empty cell")


def _refuse_empty(x: pa.Array, problems: list[Problem], reason: str) -> Staged:
    empty = pc.is_null(x).to_numpy(zero_copy_only=False)
    for problem in problems:
        empty[problem.rows] = False
    rows = np.flatnonzero(empty)
    return Staged(x, [*problems, Problem(rows, reason)] if len(rows) else problems)
