"""TorchRec: a DeepFM of its EmbeddingBagCollection and its deepfm modules, in the loop of its examples.

    python benchmarks/peers/torchrec.py DATA SETTINGS

Two ways, by the setting `fused`. false: plain EmbeddingBagCollection, dense gradients, Adam for everything. true:
tables by fbgemm, updated by row-wise Adagrad within the backward pass (on the CPU it knows no Adam) at the rate
`table_lr`, Adam for the rest. The first-order weight of an id is one more column of its row, or with `fused` four more,
of which one is read, as fbgemm wants widths that are multiples of 4. Rows of a batch are sliced at once into a
KeyedJaggedTensor, as TorchRec's in-memory Criteo reader does. Its modules know no batch norm, dropout or L2: those
settings are not heeded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pace

sys.path.pop(0)  # this folder, where torchrec.py is this file

import numpy as np
import torch
import torchrec
from torch import Tensor, nn
from torchrec.modules.deepfm import DeepFM as Deep
from torchrec.modules.deepfm import FactorizationMachine
from torchrec.modules.fused_embedding_modules import FusedEmbeddingBagCollection
from torchrec.modules.mlp import MLP
from torchrec.optim import RowWiseAdagrad
from torchrec.sparse.jagged_tensor import KeyedJaggedTensor


class DeepFM(nn.Module):
    """logit = w_0 + w . x + FM(v) + MLP(v, x), the last two as torchrec.modules has them."""

    def __init__(self, cardinalities: list[int], numbers: int, settings: dict[str, Any]):
        super().__init__()
        self.dim, fused = settings["embedding_dim"], settings.get("fused", False)
        if fused and self.dim % 4:
            raise SystemExit(f"embedding_dim is {self.dim}; fbgemm needs a multiple of 4")
        width = self.dim + (4 if fused else 1)
        tables = [
            torchrec.EmbeddingBagConfig(name=f"t{i}", embedding_dim=width, num_embeddings=size, feature_names=[f"C{i}"])
            for i, size in enumerate(cardinalities)
        ]
        if fused:
            rate = {"lr": settings.get("table_lr", 0.01)}
            self.tables: nn.Module = FusedEmbeddingBagCollection(tables, RowWiseAdagrad, rate)
        else:
            self.tables = torchrec.EmbeddingBagCollection(tables=tables)
        self.linear = nn.Linear(numbers, 1) if numbers else None
        self.fm = FactorizationMachine()
        hidden = settings["hidden_dims"]
        mlp = MLP(len(cardinalities) * self.dim + numbers, hidden, activation="relu")
        self.deep = Deep(nn.Sequential(mlp, nn.Linear(hidden[-1], 1)))

    def forward(self, dense: Tensor, sparse: KeyedJaggedTensor) -> Tensor:
        rows = self.tables(sparse).values().view(len(dense), -1, self.dim + (4 if self.fused else 1))  # (B, C, D + 1)
        v, w = rows[..., : self.dim], rows[..., self.dim]
        logits: Tensor = w.sum(1) + self.fm([v]).squeeze(1)
        if self.linear is None:
            return logits + self.deep([v]).squeeze(1)
        return logits + self.linear(dense).squeeze(1) + self.deep([v, dense]).squeeze(1)

    @property
    def fused(self) -> bool:
        return isinstance(self.tables, FusedEmbeddingBagCollection)


def batches(ids: np.ndarray, dense: np.ndarray, labels: np.ndarray, size: int) -> Iterator[tuple[Any, ...]]:
    """An epoch in random order."""
    fields = ids.shape[1]
    keys = [f"C{i}" for i in range(fields)]
    order = np.random.permutation(len(ids))
    for rows in np.array_split(order, range(size, len(ids), size)):
        values = torch.from_numpy(ids[rows].T.reshape(-1))  # field after field
        count = fields * len(rows)
        sparse = KeyedJaggedTensor(
            keys=keys,
            values=values,
            lengths=torch.ones(count, dtype=torch.int32),
            offsets=torch.arange(count + 1, dtype=torch.int32),
            stride=len(rows),
            length_per_key=[len(rows)] * fields,
            offset_per_key=[len(rows) * i for i in range(fields + 1)],
            index_per_key={key: i for i, key in enumerate(keys)},
        )
        yield torch.from_numpy(dense[rows]), sparse, torch.from_numpy(labels[rows])


def main() -> None:
    data, settings = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    if settings["model"] != "deepfm":
        raise SystemExit(f"model is {settings['model']}; TorchRec has modules for deepfm only")
    meta = json.loads((data / "meta.json").read_text())
    ids, dense, labels = (np.load(data / f"{name}.npy")[: meta["train"]] for name in ("ids", "dense", "labels"))
    torch.set_num_threads(settings["threads"])
    torch.manual_seed(settings["seed"])
    np.random.seed(settings["seed"])
    model = DeepFM(meta["cardinalities"], dense.shape[1], settings)
    own = [p for name, p in model.named_parameters() if not (model.fused and name.startswith("tables."))]
    optimizer = torch.optim.Adam(own, lr=settings["lr"])
    loss_fn = nn.BCEWithLogitsLoss()
    print("PACE " + json.dumps({"version": torchrec.__version__, "torch": torch.__version__}), flush=True)
    pace.start(settings["steps"])
    model.train()
    while True:  # until stdin ends
        for numbers, sparse, target in batches(ids, dense, labels, settings["batch_size"]):
            optimizer.zero_grad()
            loss = loss_fn(model(numbers, sparse), target)
            loss.backward()
            optimizer.step()


if __name__ == "__main__":
    main()
