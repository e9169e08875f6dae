"""DeepCTR-Torch 0.3.0 in its own `fit`: fm, fnn, deepfm, nfm.

    pip install torch==2.13.0 deepctr-torch==0.3.0
    python benchmarks/peers/deepctr.py DATA SETTINGS

FM is its DeepFM without hidden layers; FNN its WDL without the wide part, which leaves the network alone. Numbers enter
the first-order part and the network as they are, without embeddings. It lacks batch norm in NFM.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pace
import torch
from deepctr_torch.inputs import DenseFeat, SparseFeat
from deepctr_torch.models import NFM, WDL, DeepFM

EPOCHS = 1_000_000  # the turns end it

data, settings = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
meta = json.loads((data / "meta.json").read_text())
ids, dense, labels = (np.load(data / f"{name}.npy")[: meta["train"]] for name in ("ids", "dense", "labels"))
torch.set_num_threads(settings["threads"])

fields = [SparseFeat(f"C{i}", size, settings["embedding_dim"]) for i, size in enumerate(meta["cardinalities"])]
columns = [*fields, *(DenseFeat(f"I{i}") for i in range(dense.shape[1]))]
x = {f"C{i}": ids[:, i] for i in range(ids.shape[1])} | {f"I{i}": dense[:, i] for i in range(dense.shape[1])}
# its loss is the sum over the batch plus l2 |w|^2; ours the mean plus l2 / 2 |w|^2
l2 = settings["l2"] / 2 * settings["batch_size"]
common = {"l2_reg_embedding": l2, "l2_reg_linear": l2, "seed": settings["seed"], "device": settings["device"]}
network = {"dnn_hidden_units": settings["hidden_dims"], "dnn_dropout": settings["dropout"]}
match settings["model"]:
    case "fm":
        model = DeepFM(columns, fields, dnn_hidden_units=(), **common)
    case "fnn":
        model = WDL([], columns, dnn_use_bn=settings["batch_norm"], **network, **common)
    case "deepfm":
        model = DeepFM(columns, columns, dnn_use_bn=settings["batch_norm"], **network, **common)
    case "nfm":
        model = NFM(columns, columns, **network, **common)
    case other:
        raise ValueError(f"DeepCTR-Torch is not asked for {other}; it has fm, fnn, deepfm, nfm")

model.compile(torch.optim.Adam(model.parameters(), lr=settings["lr"]), "binary_crossentropy")
print("PACE " + json.dumps({"version": version("deepctr-torch"), "torch": torch.__version__}), flush=True)
pace.start(settings["steps"])
model.fit(x, labels, batch_size=settings["batch_size"], epochs=EPOCHS, verbose=0)
