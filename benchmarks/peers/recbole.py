"""RecBole 1.2.1 in its own `Trainer.fit`: fm, fnn, deepfm, nfm.

    pip install torch==2.13.0 "numpy==1.26.*" "pandas==2.2.*" "scipy<1.15" recbole==1.2.1
    python benchmarks/peers/recbole.py DATA SETTINGS

The arrays take the place of its text files and of its numbering of tokens, which would count only values that occur
and start from 1; from there on data set, loader and loop are its own. Numbers are embedded: the value times a vector.
Batch norm cannot be chosen: DeepFM and FNN have none, NFM always has it. FNN's activation is tanh, NFM's sigmoid;
dropout comes before a layer, not after it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pace
import pandas as pd
import torch
from torch import nn

sys.path.pop(0)  # this folder, whose recbole.py would be found instead of the library
from recbole.config import Config
from recbole.data.dataloader import TrainDataLoader
from recbole.data.dataset import Dataset
from recbole.trainer import Trainer
from recbole.utils import FeatureSource, FeatureType, get_model, init_seed

EPOCHS = 1_000_000  # the turns end it
MODELS = {"fm": "FM", "fnn": "FNN", "deepfm": "DeepFM", "nfm": "NFM"}


class Arrays(Dataset):
    def _load_data(self, token: str, dataset_path: str) -> None:
        ids, dense, labels = (np.load(data / f"{name}.npy")[: meta["train"]] for name in ("ids", "dense", "labels"))
        frame = {f"C{i}": ids[:, i].astype(np.int64) for i in range(ids.shape[1])}
        frame |= {f"I{i}": dense[:, i].astype(np.float64) for i in range(dense.shape[1])}
        self.inter_feat = pd.DataFrame(frame | {"label": labels.astype(np.float64)})
        self.user_feat = self.item_feat = None
        self.file_size_list = [len(labels)]
        for name in self.inter_feat:
            self.field2source[name] = FeatureSource.INTERACTION
            self.field2type[name] = FeatureType.TOKEN if name.startswith("C") else FeatureType.FLOAT
            self.field2seqlen[name] = 1
            self.field2bucketnum[name] = 2

    def _remap_ID_all(self) -> None:
        for i, size in enumerate(meta["cardinalities"]):
            self.field2id_token[f"C{i}"] = np.arange(size)


data, settings = Path(sys.argv[1]).resolve(), json.loads(Path(sys.argv[2]).read_text())
meta = json.loads((data / "meta.json").read_text())
if settings["model"] not in MODELS:
    raise ValueError(f"RecBole is not asked for {settings['model']}; it has {', '.join(MODELS)}")
torch.set_num_threads(settings["threads"])
os.chdir(tempfile.mkdtemp())  # it writes logs and checkpoints where it stands
num_dense = np.load(data / "dense.npy", mmap_mode="r").shape[1]
config = Config(
    model=MODELS[settings["model"]],
    dataset="arrays",
    config_dict={
        "USER_ID_FIELD": None,
        "ITEM_ID_FIELD": None,
        "numerical_features": [f"I{i}" for i in range(num_dense)],
        "benchmark_filename": ["train"],  # rows are split already
        "embedding_size": settings["embedding_dim"],
        "mlp_hidden_size": settings["hidden_dims"],
        "dropout_prob": settings["dropout"],
        "learning_rate": settings["lr"],
        "train_batch_size": settings["batch_size"],
        "train_neg_sample_args": None,
        "epochs": EPOCHS,
        "use_gpu": False,
        "seed": settings["seed"],
    },
)
init_seed(config["seed"], config["reproducibility"])
(rows,) = Arrays(config).build()
loader = TrainDataLoader(config, rows, None, shuffle=True)
model = get_model(config["model"])(config, rows)
trainer = Trainer(config, model)
# its weight_decay is for every parameter; L2 here is on the embeddings alone
tables = [m.weight for m in model.modules() if isinstance(m, nn.Embedding)]
rest = [p for p in model.parameters() if all(p is not table for table in tables)]
groups = [{"params": tables, "weight_decay": settings["l2"]}, {"params": rest}]
trainer.optimizer = trainer._build_optimizer(params=groups, weight_decay=0.0)
print("PACE " + json.dumps({"version": version("recbole"), "torch": torch.__version__}), flush=True)
pace.start(settings["steps"])
trainer.fit(loader, saved=False, verbose=False)
