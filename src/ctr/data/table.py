"""A dataset of files or DataFrames, described by its columns."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ctr.batch import SPLITS
from ctr.data.cache import open_cached
from ctr.data.columns import field_recipe
from ctr.data.columns.time import check_format
from ctr.data.contents import Contents, FixedContents
from ctr.data.encoding import families
from ctr.data.files import find
from ctr.data.module import Labels
from ctr.data.prepared import PreparedData, open_folder
from ctr.data.readers import reader as make_reader
from ctr.data.readers.base import Reader
from ctr.data.readers.frames import Frames
from ctr.data.recipe import Recipe
from ctr.data.splits import split_recipe
from ctr.data.targets import check_keys
from ctr.errors import UserError


class Table:
    """Files of rows, prepared once and kept in a cache.

    `reader` is the format with its options (ctr.data.readers). `train`, `valid` and `test` name files, patterns or
    folders of part files under `root`; where valid or test is null, `split` cuts it from train's rows
    (ctr.data.splits). `fields` maps each field to its kind, or to the kind with options (ctr.data.columns); null
    takes the fields that a format knows itself. `label`, `group` (whom GAUC groups by), `weight` and `time` name
    columns, the last as {column, format}; all but the label may be null. `labels`: "binary" refuses all labels but 0
    and 1; `label_values` gives the numbers of labels that are texts. `missing` lists texts that mean a missing value,
    besides the empty one. `bad_rows`: "refuse" ends with the first row that cannot be read, "reject" leaves such rows
    out and counts them by reason. `negatives`, {keep, seed}, keeps a share of train's negatives only. `window` is how
    many rows a loader shuffles in memory at once, `cache` where prepared data are kept, `source` what a person without
    the files is told.
    """

    def __init__(
        self,
        *,
        root: str,
        reader: str | Mapping[str, Any],
        train: str | Sequence[str],
        valid: str | Sequence[str] | None,
        test: str | Sequence[str] | None,
        split: Mapping[str, Any] | None,
        label: str,
        labels: Labels,
        label_values: Mapping[Any, float] | None,
        group: str | None,
        weight: str | None,
        time: Mapping[str, str] | None,
        fields: Mapping[str, Any] | None,
        missing: Sequence[str],
        bad_rows: Literal["refuse", "reject"],
        negatives: Mapping[str, float] | None,
        window: int,
        cache: str,
        source: str,
    ):
        self.root, self.source, self.window, self.cache = root, source, window, Path(cache).expanduser()
        self.files = {"train": train, "valid": valid, "test": test}
        self.recipe = _recipe(
            make_reader(reader),
            {split: name is not None for split, name in self.files.items()},
            reader=reader if isinstance(reader, str) else dict(reader),
            split=split,
            label=label,
            labels=labels,
            label_values=label_values,
            group=group,
            weight=weight,
            time=time,
            fields=fields,
            missing=missing,
            bad_rows=bad_rows,
            negatives=negatives,
        )

    def open(self) -> PreparedData:
        parts = {
            split: find(self.root, names, self.source, after_train=split != "train")
            for split, names in self.files.items()
            if names is not None
        }
        return open_cached(self.recipe, parts, Contents(parts, self.cache / "contents"), self.cache, self.window)


class Prepared:
    """A prepared folder, as scripts/prepare.py names it, on any machine."""

    def __init__(self, *, root: str, window: int):
        self.root, self.window = root, window

    def open(self) -> PreparedData:
        return open_folder(Path(self.root).expanduser(), self.window)


def from_frames(
    train: pd.DataFrame,
    valid: pd.DataFrame | None = None,
    test: pd.DataFrame | None = None,
    *,
    fields: Mapping[str, Any],
    label: str = "label",
    labels: Labels = "binary",
    label_values: Mapping[Any, float] | None = None,
    split: Mapping[str, Any] | None = None,
    group: str | None = None,
    weight: str | None = None,
    time: Mapping[str, str] | None = None,
    missing: Sequence[str] = (),
    bad_rows: Literal["refuse", "reject"] = "refuse",
    negatives: Mapping[str, float] | None = None,
    window: int = 2**20,
    cache: str | None = None,
) -> PreparedData:
    """Data from pandas, by the keys of a Table. Without a `cache` they are kept in a temporary folder."""
    given = {"train": train, "valid": valid, "test": test}
    reader = Frames({split: frame for split, frame in given.items() if frame is not None})
    frames = reader.frames
    recipe = _recipe(
        reader,
        {split: split in frames for split in SPLITS},
        reader="frames",
        split=split,
        label=label,
        labels=labels,
        label_values=label_values,
        group=group,
        weight=weight,
        time=time,
        fields=fields,
        missing=missing,
        bad_rows=bad_rows,
        negatives=negatives,
    )
    parts = {split: [Path(split)] for split in frames}
    columns = [staging.column for staging in recipe.stagings().values()]
    contents = FixedContents(
        {split: [hashlib.sha256(_bytes(split, frame, columns)).hexdigest()] for split, frame in frames.items()}
    )
    temporary = tempfile.TemporaryDirectory(prefix="ctr-") if cache is None else None
    data = open_cached(recipe, parts, contents, Path(temporary.name if temporary else str(cache)), window)
    data.temporary = temporary  # goes when the data go
    return data


def _bytes(split: str, frame: pd.DataFrame, columns: Sequence[str]) -> bytes:
    """What the columns hold. Raises UserError for cells that are no plain values."""
    try:
        used = frame[[name for name in frame.columns if name in columns]]
        types = json.dumps([[name, str(kind)] for name, kind in used.dtypes.items()])
        return bytes(pd.util.hash_pandas_object(used, index=False).to_numpy().tobytes()) + types.encode()
    except (TypeError, ValueError, OverflowError, UnicodeError) as error:
        raise UserError(f"{split}: the cells of a DataFrame must be texts or numbers: {error}") from error


def _recipe(reader_made: Reader, files: Mapping[str, bool], **described: Any) -> Recipe:
    """The recipe of these keys of a Table. Raises UserError for what cannot be, before anything is read."""
    label, fields, time = described["label"], described["fields"], described["time"]
    if fields is None:
        fields = reader_made.fields
    if not fields:
        raise UserError("a schema needs at least one field; the dataset lists none")
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        raise UserError(f"fields must map the names of fields to their kinds, found {fields!r}")
    missing = described["missing"]
    if isinstance(missing, str) or not all(isinstance(text, str) for text in missing):
        raise UserError(f"missing must be a list of texts, found {missing!r}")
    described["fields"] = dict(fields)
    if (values := described["label_values"]) is not None:
        check_keys(values)
        described["label_values"] = {str(text): number for text, number in values.items()}
    made = [field_recipe(name, spec) for name, spec in fields.items()]
    families(made)  # does what is shared exist?
    for field in made:
        if field.column == label:
            raise UserError(f"the label column {label!r} is listed in fields; that would give the answer away")
    if time is not None and set(time) != {"column", "format"}:
        raise UserError(f"time must be null or {{column: ..., format: ...}}, found {dict(time)}")
    if time is not None:
        check_format(time["format"])
    if described["bad_rows"] not in ("refuse", "reject"):
        raise UserError(f"bad_rows must be refuse or reject, found {described['bad_rows']!r}")
    split = split_recipe(described["split"])
    _check_split(split, files, time)
    return Recipe(
        reader=reader_made,
        fields=made,
        label=label,
        labels=described["labels"],
        label_values=described["label_values"],
        group=described["group"],
        weight=described["weight"],
        time=None if time is None else (time["column"], time["format"]),
        split=split,
        missing=tuple(described["missing"]),
        refuse=described["bad_rows"] == "refuse",
        negatives=_negatives(described["negatives"], described["labels"]),
        description={name: list(item) if isinstance(item, tuple) else item for name, item in described.items()},
    )


def _check_split(split: Any, files: Mapping[str, bool], time: object) -> None:
    """Does every split come from somewhere, and from one place only?"""
    shares = {"valid": 0.0, "test": 0.0} if split is None else {"valid": split.valid, "test": split.takes_test}
    for name, share in shares.items():
        if files[name] and share:
            raise UserError(f"{name} has files of its own, and split takes it from train's rows too; choose one")
        if not files[name] and not share:
            ways = "{by: random, valid: 0.1, test: 0.1}"
            raise UserError(f"{name} has no files, and split takes none from train's rows; set split, as in {ways}")
    if split is not None and split.by_time and time is None:
        raise UserError("split by time needs the dataset's time: {column: ..., format: ...}")


def _negatives(spec: Mapping[str, float] | None, labels: Labels) -> tuple[float, int] | None:
    if spec is None:
        return None
    numbers = [spec.get("keep"), spec.get("seed")]
    if (
        set(spec) != {"keep", "seed"}
        or not all(isinstance(x, (int, float)) for x in numbers)
        or not 0 < spec["keep"] <= 1
    ):
        raise UserError(f"negatives must be null or {{keep: a share above 0, seed: a number}}, found {dict(spec)}")
    if labels != "binary":
        raise UserError("negatives: only binary labels have negatives")
    return float(spec["keep"]), int(spec["seed"])
