"""FuxiCTR's own model, loader and loop, under the settings of a config of ours."""

from __future__ import annotations

import importlib
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import torch

from ctr.app.baselines.fitting import Fitted, Splits
from ctr.app.baselines.fuxictr_options import Options
from ctr.app.baselines.matrices import Columns
from ctr.errors import UserError
from ctr.schema import FieldKind

LABEL = "label of the row"  # a column's name that no field has


def fuxictr(splits: Splits) -> Fitted:
    """Trains the model of the config there. Valid ends it and chooses its epoch, as the config says."""
    library, options = load_fuxictr(), splits.options
    assert isinstance(options, Options)
    if strange := [field.name for field in splits.schema.fields if field.kind is not FieldKind.CATEGORICAL]:
        raise UserError(f"FuxiCTR is given categorical fields alone here, and {', '.join(strange)} are others")
    if shared := [field.name for field in splits.schema.fields if field.shares]:
        raise UserError(f"FuxiCTR is given a table for each field here, and {', '.join(shared)} share one")
    if any(part.weights is not None for part in splits.parts.values()):
        raise UserError("FuxiCTR has no weights of rows; leave them out with dataset.weight=null")
    library["fuxictr.pytorch.torch_utils"].seed_everything(splits.seed)
    torch.set_num_threads(splits.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        features = _prepare(folder, splits, library["fuxictr.features"], options.model)
        try:
            model = _model(library, options.target)(features, model_root=name, verbose=0, **options.model)
        except Exception as error:
            raise UserError(f"FuxiCTR's {options.target} cannot be built from {options.model}: {error!r}") from error
        Path(model.model_dir).mkdir(exist_ok=True)
        loaders = _loaders(library["fuxictr.pytorch.dataloaders"], features, folder, options.model["batch_size"])
        _tell_epochs(model, splits)
        model.fit(
            loaders["train"],
            epochs=options.epochs,
            validation_data=loaders["valid"],
            max_gradient_norm=options.clip_norm,
        )
        model.output_activation.register_forward_hook(lambda module, inputs, output: inputs[0])  # from here on: logits
        logits = {split: model.predict(loaders[split]) for split in ("valid", "test")}
    if not all(np.isfinite(each).all() for each in logits.values()):
        raise UserError(f"FuxiCTR's {options.target} predicts what is no number: its training has diverged")
    return Fitted(
        f"FuxiCTR:{options.target.rpartition('.')[2]}",
        options.model,
        logits,
        steps=model._total_steps,
        parameters=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
        epochs=model._epoch_index + 1,
    )


def load_fuxictr() -> dict[str, ModuleType]:
    names = ("fuxictr.features", "fuxictr.pytorch.torch_utils", "fuxictr.pytorch.dataloaders", "model_zoo")
    try:
        found = {name: importlib.import_module(name) for name in names}
    except ImportError as error:
        raise UserError(
            f"FuxiCTR and its model_zoo cannot be imported ({error}); the models are in no package: clone "
            "https://github.com/reczoo/FuxiCTR, install what its requirements.txt lists, and set PYTHONPATH to it"
        ) from error
    if not isinstance(found["fuxictr.pytorch.dataloaders"].RankDataLoader, type):
        raise UserError(
            "this FuxiCTR is that of the package, whose runs do not repeat; put a checkout of it first on PYTHONPATH"
        )
    return found


def _model(library: dict[str, ModuleType], target: str) -> Any:
    module, _, name = f"model_zoo.{target}".rpartition(".")
    return getattr(library["model_zoo"] if module == "model_zoo" else importlib.import_module(module), name)


def _prepare(folder: Path, splits: Splits, library: ModuleType, settings: dict[str, Any]) -> Any:
    """Its Parquet files, and its feature map: ids as they are prepared, numbered within their field."""
    columns = Columns(splits.schema)
    for split, part in splits.parts.items():
        rows = pd.DataFrame(columns.of(part).astype(np.int64), columns=columns.names)
        rows.assign(**{LABEL: splits.labels(split)}).to_parquet(folder / f"{split}.parquet")
    features = library.FeatureMap("rows", str(folder))
    features.labels, features.default_emb_dim = [LABEL], settings.get("embedding_dim")
    for field, size in zip(columns.names, columns.sizes, strict=True):
        features.features[field] = {"source": "", "type": "categorical", "vocab_size": size}
    features.num_fields = features.get_num_fields()
    features.set_column_index()
    return features


def _loaders(library: ModuleType, features: Any, folder: Path, batch_size: int) -> dict[str, Any]:
    files = {f"{split}_data": str(folder / f"{split}.parquet") for split in ("train", "valid", "test")}
    made = library.RankDataLoader(features, batch_size=batch_size, num_workers=0, data_format="parquet", **files)
    return dict(zip(("train", "valid", "test"), made.make_iterator(), strict=True))


def _tell_epochs(model: Any, splits: Splits) -> None:
    judge = model.checkpoint_and_earlystop

    def judge_and_tell(logs: dict[str, float]) -> None:
        splits.say(f"epoch {model._epoch_index + 1}: " + ", ".join(f"valid {k} {v:.5f}" for k, v in logs.items()))
        judge(logs)

    model.checkpoint_and_earlystop = judge_and_tell
