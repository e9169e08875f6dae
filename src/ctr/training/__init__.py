"""The loop and its collaborators. They know no model and no dataset."""

from ctr.training.objective import LogLoss, SquaredError
from ctr.training.schedule import Constant, Cosine, Plateau
from ctr.training.table_optimizers import FTRLProximal, LazyAdagrad, LazyAdam, LazySGD
from ctr.training.trainer import Trainer

__all__ = [
    "Constant",
    "Cosine",
    "FTRLProximal",
    "LazyAdagrad",
    "LazyAdam",
    "LazySGD",
    "LogLoss",
    "Plateau",
    "SquaredError",
    "Trainer",
]
