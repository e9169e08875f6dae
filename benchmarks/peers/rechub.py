"""torch-rechub 0.9.0 in its own `CTRTrainer.fit`: deepfm; it has no FM, FNN or NFM.

    pip install torch==2.13.0 torch-rechub==0.9.0
    python benchmarks/peers/rechub.py DATA SETTINGS

Its first-order part is one linear layer over the embeddings. Numbers enter the network as they are and nothing else.
Batch norm cannot be turned off.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pace
import torch
from torch_rechub.basic.features import DenseFeature, SparseFeature
from torch_rechub.models.ranking import DeepFM
from torch_rechub.trainers import CTRTrainer
from torch_rechub.utils.data import DataGenerator

EPOCHS = 1_000_000  # the turns end it

data, settings = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
meta = json.loads((data / "meta.json").read_text())
ids, dense, labels = (np.load(data / f"{name}.npy")[: meta["train"]] for name in ("ids", "dense", "labels"))
if settings["model"] != "deepfm":
    raise ValueError(f"torch-rechub has no {settings['model']}; it has deepfm")
torch.set_num_threads(settings["threads"])
torch.manual_seed(settings["seed"])

fields = [SparseFeature(f"C{i}", size, settings["embedding_dim"]) for i, size in enumerate(meta["cardinalities"])]
numbers = [DenseFeature(f"I{i}") for i in range(dense.shape[1])]
x = {f"C{i}": ids[:, i] for i in range(ids.shape[1])} | {f"I{i}": dense[:, i] for i in range(dense.shape[1])}
model = DeepFM(numbers + fields, fields, {"dims": settings["hidden_dims"], "dropout": settings["dropout"]})
trainer = CTRTrainer(
    model,
    optimizer_params={"lr": settings["lr"], "weight_decay": 0.0},
    regularization_params={"embedding_l2": settings["l2"] / 2},  # its L2 is l2 |w|^2, ours l2 / 2 |w|^2
    n_epoch=EPOCHS,
)
loader, _, _ = DataGenerator(x, labels).generate_dataloader(batch_size=settings["batch_size"])
print("PACE " + json.dumps({"version": version("torch-rechub"), "torch": torch.__version__}), flush=True)
pace.start(settings["steps"])
trainer.fit(loader)
