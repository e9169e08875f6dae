"""FuxiCTR (github.com/reczoo/FuxiCTR): its model zoo, its in-memory Parquet loader, its `fit`.

    python benchmarks/peers/fuxictr.py DATA SETTINGS          takes turns (pace.py); nothing is evaluated
    python benchmarks/peers/fuxictr.py DATA SETTINGS --fit    trains to its own end, a JSON line per epoch

Needs a checkout, for the model zoo is in no package, made importable: `pip install --no-deps -e CHECKOUT`. FuxiCTR
embeds each number, too. As its own preparation does, id 0 of each field is left for padding, the others move up by one.
Its Parquet files are written beside the arrays on first use.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pace

sys.path.pop(0)  # this folder, where fuxictr.py is this file

import fuxictr
import numpy as np
import pandas as pd
import torch
from fuxictr.features import FeatureMap
from fuxictr.pytorch.dataloaders import RankDataLoader
from fuxictr.pytorch.torch_utils import seed_everything

MODELS = {
    "fm": "FM/src/FM.py",
    "fnn": "DNN/DNN_torch/src/DNN.py",
    "deepfm": "DeepFM/DeepFM_torch/src/DeepFM.py",
    "nfm": "NFM/src/NFM.py",
}


def prepare(data: Path, meta: dict[str, Any]) -> Path:
    """Parquet files and a feature map, where its `FeatureProcessor` and `build_dataset` would put them."""
    folder = data / "fuxictr"
    if (folder / "feature_map.json").exists():
        return folder
    folder.mkdir(exist_ok=True)
    ids, dense, labels = (np.load(data / f"{name}.npy", mmap_mode="r") for name in ("ids", "dense", "labels"))
    start = 0
    for part in ("train", "valid", "test"):
        rows = slice(start, start + meta[part])
        columns = {f"I{i}": dense[rows, i] for i in range(dense.shape[1])}
        columns |= {f"C{i}": ids[rows, i].astype(np.int64) + 1 for i in range(ids.shape[1])}
        pd.DataFrame(columns | {"label": labels[rows]}).to_parquet(folder / f"{part}.parquet")
        start = rows.stop
    numbers = [{f"I{i}": {"source": "", "type": "numeric"}} for i in range(dense.shape[1])]
    categories = [
        {f"C{i}": {"source": "", "type": "categorical", "padding_idx": 0, "vocab_size": size + 1}}
        for i, size in enumerate(meta["cardinalities"])
    ]
    feature_map = {"dataset_id": "fuxictr", "labels": ["label"], "features": numbers + categories}
    (folder / "feature_map.json").write_text(json.dumps(feature_map))
    return folder


def parameters(settings: dict[str, Any], fit: bool) -> dict[str, Any]:
    """Settings by FuxiCTR's names; what is not here, such as clipping at norm 10, is its default."""
    l2 = settings["l2"] or None
    shared = {
        "batch_size": settings["batch_size"],
        "embedding_dim": settings["embedding_dim"],
        "learning_rate": settings["lr"],
        "epochs": settings["epochs"] if fit else 10**9,
        "eval_steps": None if fit else 10**9,
        "optimizer": "adam",
        "loss": "binary_crossentropy",
        "metrics": ["AUC", "logloss"],
        "monitor": "AUC",
        "num_workers": 0,
        "data_format": "parquet",
        "verbose": 0,
        "gpu": 0 if settings["device"] == "cuda" else -1,
    }
    if settings["model"] == "fm":
        return shared | {"regularizer": l2}
    return shared | {
        "hidden_units": settings["hidden_dims"],
        "hidden_activations": "relu",
        "batch_norm": settings["batch_norm"],
        "net_dropout": settings["dropout"],
        "embedding_regularizer": l2,
    }


def model_class(name: str) -> type:
    path = Path(fuxictr.__file__).parents[1] / "model_zoo" / MODELS[name]
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type = getattr(module, path.stem)
    return found


def fit(model: Any, train: Any, valid: Any, test: Any, epochs: int) -> None:
    """A line after each epoch's evaluation, then one with the test metrics of the best epoch."""
    judge, started = model.checkpoint_and_earlystop, time.perf_counter()

    def judge_and_tell(logs: dict[str, float]) -> None:
        seconds = round(time.perf_counter() - started, 2)
        print(json.dumps({"epoch": model._epoch_index + 1, "seconds": seconds, "valid_auc": logs["AUC"]}), flush=True)
        judge(logs)

    model.checkpoint_and_earlystop = judge_and_tell
    model.fit(train, epochs=epochs, validation_data=valid)
    seconds = round(time.perf_counter() - started, 2)
    scores = model.evaluate(test) if test else {}
    scores = {f"test_{name.lower()}": float(value) for name, value in scores.items()}
    print(json.dumps({"seconds": seconds, "best_valid_auc": float(model._best_metric), **scores}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("settings", type=Path)
    parser.add_argument("--fit", action="store_true")
    chosen = parser.parse_args()
    settings = json.loads(chosen.settings.read_text())
    meta = json.loads((chosen.data / "meta.json").read_text())
    folder = prepare(chosen.data, meta)
    torch.set_num_threads(settings["threads"])
    seed_everything(settings["seed"])
    chose = parameters(settings, chosen.fit)
    feature_map = FeatureMap("fuxictr", str(folder))
    feature_map.load(str(folder / "feature_map.json"), chose)
    with tempfile.TemporaryDirectory() as checkpoints:
        model = model_class(settings["model"])(feature_map, model_root=checkpoints, **chose)
        Path(model.model_dir).mkdir()
        parts = {f"{part}_data": str(folder / f"{part}.parquet") for part in ("train", "valid", "test") if meta[part]}
        if chosen.fit:
            loaders = RankDataLoader(feature_map, **parts, **chose).make_iterator()
            fit(model, *loaders, settings["epochs"])
        else:
            loaders = RankDataLoader(feature_map, stage="train", train_data=parts["train_data"], **chose)
            train, _ = loaders.make_iterator()
            print("PACE " + json.dumps({"version": fuxictr.__version__, "torch": torch.__version__}), flush=True)
            pace.start(settings["steps"])
            model.fit(train, epochs=chose["epochs"])


if __name__ == "__main__":
    main()
