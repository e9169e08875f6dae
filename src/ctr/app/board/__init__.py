"""What TensorBoard shows of a run besides its curves (ctr.training.run_log): texts, HParams, figures, the projector.

All of it is in the folder of the stage that it tells of, so that a run is one line in TensorBoard, two with a
pretrained stage. Every file is written once and whole: a run that goes on, or is repeated, shows nothing twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn
from torch.utils.tensorboard.summary import image

from ctr.app import pictures
from ctr.app.board import embeddings, events, hparams, projector, quality, texts
from ctr.app.board.embeddings import row_sums
from ctr.data.names import Names
from ctr.schema import FeatureSchema
from ctr.training.progress import Progress
from ctr.training.trainer import Trainer

__all__ = ["begin", "finish", "row_sums", "stage"]


def begin(folder: Path, config: Mapping[str, Any], stage: str, model: nn.Module, schema: FeatureSchema) -> None:
    """Before a stage: its config, its model and, for the last stage, which is the run's result, its HParams."""
    summaries = list(texts.of_start(config, model, schema))
    if stage == list(config["stages"])[-1]:
        summaries.append(hparams.start(config))
    events.write(folder, "start", events.hashed(summaries), 0, summaries)


def stage(
    folder: Path, trainer: Trainer, model: nn.Module, names: Names, progress: Progress, before: Mapping[str, Tensor]
) -> None:
    """After a stage: the model's picture, what its best weights predict on valid, and how its embeddings lie; `before`
    are the row sums of the tables before the first step."""
    if events.written(folder, "stage", progress.step):
        return
    tables = embeddings.tables(model, names.schema)
    projector.write(folder, tables, names)
    summaries = [
        image("model", pictures.pixels(model, names.schema), dataformats="HWC"),
        *quality.summaries(trainer.predict(model, names.data, "valid"), trainer.objective),
        *embeddings.summaries(tables, names, before),
    ]
    assert progress.best_step is not None
    events.write(folder, "stage", progress.step, progress.best_step, summaries)


def finish(folder: Path, config: Mapping[str, Any], scores: Mapping[str, Any]) -> None:
    """After the run: the final scores, as text and as the metrics of its HParams."""
    summaries = [*texts.of_end(scores), *hparams.end(config, scores)]
    events.write(folder, "scores", events.hashed(summaries), scores["best_step"], summaries)
