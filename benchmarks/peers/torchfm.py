"""pytorch-fm (torchfm 0.7.0), in the steps of its examples/main.py: fm, fnn, deepfm, nfm.

    pip install torch==2.13.0 numpy torchfm==0.7.0
    python benchmarks/peers/torchfm.py DATA SETTINGS

The package has models and leaves the loop to the user. This one does what the example's does: a Dataset that is asked
row by row, Adam, BCELoss. Loader workers are 0, where the example asks for 8; rows are shuffled every epoch, where the
example shuffles them once. It lacks inputs that are numbers, so they are cut into ids as its Criteo reader does. Batch
norm cannot be turned off (FM and FNN's embedding have none).
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pace
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

sys.path.pop(0)  # this folder, whose torchfm.py would be found instead of the library
from torchfm.model.dfm import DeepFactorizationMachineModel
from torchfm.model.fm import FactorizationMachineModel
from torchfm.model.fnn import FactorizationSupportedNeuralNetworkModel
from torchfm.model.nfm import NeuralFactorizationMachineModel

WIDTH, END = 0.25, 4.0  # a bucket and half the range, in standard deviations: 33 ids a field


class Rows(Dataset[tuple[np.ndarray, np.float32]]):
    def __init__(self, items: np.ndarray, targets: np.ndarray):
        self.items, self.targets = items, targets

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.float32]:
        return self.items[index], self.targets[index]


def train(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader[tuple[Tensor, Tensor]]) -> float:
    model.train()
    criterion, total = nn.BCELoss(), 0.0
    for fields, target in loader:
        fields, target = fields.to(settings["device"]), target.to(settings["device"])
        loss = criterion(model(fields), target.float())
        model.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total


data, settings = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
meta = json.loads((data / "meta.json").read_text())
ids, dense, labels = (np.load(data / f"{name}.npy")[: meta["train"]] for name in ("ids", "dense", "labels"))
torch.set_num_threads(settings["threads"])
torch.manual_seed(settings["seed"])

buckets = ((dense.clip(-END, END) + END) / WIDTH).astype(np.int64)
sizes = [*[int(2 * END / WIDTH) + 1] * dense.shape[1], *meta["cardinalities"]]
dim, hidden_dims, dropout = settings["embedding_dim"], settings["hidden_dims"], settings["dropout"]
match settings["model"]:
    case "fm":
        model = FactorizationMachineModel(sizes, dim)
    case "fnn":
        model = FactorizationSupportedNeuralNetworkModel(sizes, dim, hidden_dims, dropout)
    case "deepfm":
        model = DeepFactorizationMachineModel(sizes, dim, hidden_dims, dropout)
    case "nfm":
        model = NeuralFactorizationMachineModel(sizes, dim, hidden_dims, (dropout, dropout))
    case other:
        raise ValueError(f"torchfm is not asked for {other}; it has fm, fnn, deepfm, nfm")

model = model.to(settings["device"])
# the example gives Adam's weight decay to every parameter; L2 here is on the embeddings alone
tables = [m.weight for m in model.modules() if isinstance(m, nn.Embedding)]
rest = [p for p in model.parameters() if all(p is not table for table in tables)]
groups = [{"params": tables, "weight_decay": settings["l2"]}, {"params": rest}]
optimizer = torch.optim.Adam(groups, lr=settings["lr"])
loader = DataLoader(Rows(np.hstack([buckets, ids]), labels), settings["batch_size"], shuffle=True)
print("PACE " + json.dumps({"version": version("torchfm"), "torch": torch.__version__}), flush=True)
pace.start(settings["steps"])
while True:  # the turns end it
    train(model, optimizer, loader)
