"""The most frequent features in TensorBoard's projector, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from google.protobuf import text_format
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from torch import Tensor

from ctr import disk
from ctr.data.names import Names

NUM_POINTS = 1000
CONFIG, FOLDER, LABELS = "projector_config.pbtxt", "projector", "features.tsv"


def write(folder: Path, tables: Mapping[str, Tensor], names: Names) -> None:
    """The rows of the features that train holds most, of all fields together, with name, field and count. A table of
    single weights has no place there."""
    vectors = {name: table for name, table in tables.items() if table.shape[1] > 1}
    if not vectors:
        return
    ids = np.argsort(-names.counts, kind="stable")[:NUM_POINTS]
    ids = ids[names.counts[ids] > 0]
    lines = ["feature\tfield\tcount", *(f"{one}\t{one.field}\t{one.count}" for one in names.describe(ids))]
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    disk.write_text(folder / FOLDER / LABELS, "\n".join(lines) + "\n")
    config = ProjectorConfig()
    for name, table in vectors.items():
        rows = table[torch.from_numpy(ids).to(table.device)].cpu().tolist()
        text = "".join("\t".join(f"{x:.5g}" for x in row) + "\n" for row in rows)
        disk.write_text(folder / FOLDER / f"{name}.tsv", text)
        config.embeddings.add(tensor_name=name, tensor_path=f"{FOLDER}/{name}.tsv", metadata_path=f"{FOLDER}/{LABELS}")
    disk.write_text(folder / CONFIG, text_format.MessageToString(config))
