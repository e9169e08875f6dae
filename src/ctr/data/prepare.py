"""From files to a prepared folder: stage, split, fit and encode, write shards. Memory is bounded by blocks and the
vocabulary; the rows are on disk."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ctr.batch import SPLITS
from ctr.data.encoders import save_encoders
from ctr.data.encoding import FittedField, families, fit_family
from ctr.data.module import refuse_empty, refuse_one_class
from ctr.data.recipe import Meter, Recipe
from ctr.data.splits import drop_negatives
from ctr.data.staging import Chunk, ChunkColumn, stage_files
from ctr.data.writing import Writing
from ctr.errors import UserError

STAGED = "staged"  # the folder of chunks, which a preparation that was killed leaves for the next


def prepare(
    recipe: Recipe, parts: Mapping[str, Sequence[Path]], folder: Path, *, threads: int, meter: Meter
) -> dict[str, Any]:
    """Fills `folder` with shards, encoders and the rejected rows, and returns the manifest, which is not written yet.

    `parts` are the files of train, and of valid and test where they have their own. Raises UserError for input that
    cannot be trained on.
    """
    staged = folder / STAGED
    staged.mkdir(parents=True, exist_ok=True)
    _clear(folder, keep=staged)
    size, done = sum(path.stat().st_size if path.exists() else 0 for paths in parts.values() for path in paths), 0

    def read(count: int) -> None:
        nonlocal done
        done += count
        meter("reading", done, size)

    stagings = recipe.stagings()
    chunks = stage_files(parts, recipe.reader, stagings, staged, refuse=recipe.refuse, threads=threads, progress=read)
    source = f"{', '.join(map(str, parts['train'][:3]))}, column {recipe.label!r}"
    for part, paths in parts.items():
        _refuse_no_rows(part, [chunk for chunk in chunks if chunk.part == part], str(paths[0]))
    splits, signed, dropped = _assign(recipe, chunks)
    counts = {split: int(sum((one == i).sum() for one in splits)) for i, split in enumerate(SPLITS)}
    for split, count in counts.items():
        refuse_empty(split, count, str(parts.get(split, parts["train"])[0]))
    train = [split == 0 for split in splits]
    _refuse_no_signal(recipe, chunks, train, signed, source)
    fitted: dict[str, FittedField] = {}
    every = families(recipe.fields)
    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(fit_family, i, family, chunks, train, staged) for i, family in enumerate(every)]
        for i, task in enumerate(tasks):
            fitted |= task.result()
            meter("fitting", i + 1, len(every))
    fields = [fitted[field.name] for field in recipe.fields]
    writing = Writing(recipe, fields, chunks, splits, signed, staged)
    files, shards = writing.run(folder, counts, threads, meter)
    files |= save_encoders(folder / "encoders", recipe.fields, [field.encoder for field in fields])
    rejects = _write_rejects(folder / "rejected.jsonl", chunks)
    shutil.rmtree(staged)
    return {
        "recipe": recipe.description,
        "rows": {
            "read": sum(chunk.num_rows + len(chunk.rejects) for chunk in chunks),
            **counts,
            "rejected": rejects,
            "dropped_negatives": dropped,
        },
        "negatives_kept": 1.0 if recipe.negatives is None else recipe.negatives[0],
        "labels": recipe.labels,
        "label_source": source,
        "schema": writing.schema.to_json(),
        "layout": {name: list(slots) for name, slots in vars(writing.layout).items()},
        "shards": shards,
        "notes": writing.notes(),
        "files": files,
    }


def _assign(
    recipe: Recipe, chunks: Sequence[Chunk]
) -> tuple[list[np.ndarray], Callable[[np.ndarray], np.ndarray], int]:
    """The split numbers of each chunk's rows; how staged labels are to be read; how many negatives were dropped."""
    splits = [np.full(chunk.num_rows, SPLITS.index(chunk.part), dtype=np.int8) for chunk in chunks]
    if recipe.split is not None:
        mine = [i for i, chunk in enumerate(chunks) if chunk.part == "train"]
        own = [chunks[i] for i in mine]
        column = "time" if recipe.split.by_time else "split"
        assigned = recipe.split.assign(sum(chunk.num_rows for chunk in own), ChunkColumn(own, column))
        bounds = np.cumsum([chunk.num_rows for chunk in own])[:-1]
        for i, part in zip(mine, np.split(assigned, bounds), strict=True):
            splits[i] = part
    signed = _signed(recipe, chunks)
    dropped = 0
    if recipe.negatives is not None:
        keep, seed = recipe.negatives
        random = np.random.default_rng(seed)
        for split, array in zip(splits, ChunkColumn(chunks, "label"), strict=True):
            dropped += drop_negatives(split, signed(array.to_numpy()), keep, random)
    return splits, signed, dropped


def _refuse_no_rows(part: str, chunks: Sequence[Chunk], where: str) -> None:
    """Files without a row are a mistake, and so is a recipe that can read none of their rows."""
    rejects = [(chunk.source, reject) for chunk in chunks for reject in chunk.rejects]
    num_rows = sum(chunk.num_rows for chunk in chunks)
    if rejects and num_rows == 0:
        source, (line, reason, text) = rejects[0]
        raise UserError(
            f"{source}: all {len(rejects):,} rows of {part} were left out by dataset.bad_rows=reject; the first, line "
            f"{line}: {reason}; found {text!r}. dataset.bad_rows=refuse says how to mend it"
        )
    refuse_empty(part, num_rows, where)


def _refuse_no_signal(
    recipe: Recipe,
    chunks: Sequence[Chunk],
    train: Sequence[np.ndarray],
    signed: Callable[[np.ndarray], np.ndarray],
    source: str,
) -> None:
    """Raises UserError where no row of train counts, or only rows of one class do."""
    counted, told = train, "the train split"
    if recipe.weight is not None:
        weights = ChunkColumn(chunks, "weight")
        above = [array.to_numpy().astype(np.float32) > 0 for array in weights]  # as they are stored
        counted = [mine & heavy for mine, heavy in zip(train, above, strict=True)]
        told = f"the train rows whose weight, column {recipe.weight!r}, is above 0"
        if not any(rows.any() for rows in counted):
            where = f"{chunks[0].source}, column {recipe.weight!r}"
            raise UserError(f"{where}: all weights of the train split are 0; at least one must be above")
    if recipe.labels == "binary":
        labels = [np.unique(array.to_numpy()) for array in ChunkColumn(chunks, "label", counted)]
        refuse_one_class(signed(np.unique(np.concatenate(labels))), source, told)


def _signed(recipe: Recipe, chunks: Sequence[Chunk]) -> Callable[[np.ndarray], np.ndarray]:
    """Binary labels -1 and 1 become 0 and 1. Raises UserError where -1 and 0 are both there."""
    if recipe.labels == "real" or not recipe.reader.signed_labels:
        return lambda labels: labels
    found: set[float] = set()
    for chunk, array in zip(chunks, ChunkColumn(chunks, "label"), strict=True):
        found |= set(np.unique(array.to_numpy()).tolist())
        if {-1.0, 0.0} <= found:
            raise UserError(
                f"{chunk.source}: labels must be 0 and 1, or -1 and 1; found -1, 0 and 1. Map them by label_values, or "
                f"use task=regression"
            )
    return (lambda labels: (labels + 1) / 2) if -1.0 in found else (lambda labels: labels)


def _write_rejects(path: Path, chunks: Sequence[Chunk]) -> dict[str, int]:
    """Every rejected row with its place and reason; how many for each reason."""
    counts: Counter[str] = Counter()
    with path.open("w", encoding="utf-8") as file:
        for chunk in chunks:
            for line, reason, text in chunk.rejects:
                counts[reason] += 1
                file.write(json.dumps({"file": chunk.source, "line": line, "reason": reason, "text": text}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    return dict(counts.most_common())


def _clear(folder: Path, keep: Path) -> None:
    for entry in folder.iterdir():
        if entry != keep:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
