"""The models, one a file. A model takes (ids, values) and returns one logit per example."""

from ctr.models.afm import AFM
from ctr.models.ccpm import CCPM
from ctr.models.deepcrossing import DeepCrossing
from ctr.models.deepfm import DeepFM
from ctr.models.dnn import DNN
from ctr.models.ffm import FFM
from ctr.models.fm import FM
from ctr.models.fm_dnn import FMDNN
from ctr.models.fmfm import FmFM
from ctr.models.fnn import FNN
from ctr.models.fwfm import FwFM
from ctr.models.hofm import HOFM
from ctr.models.lr import LR
from ctr.models.nfm import NFM
from ctr.models.pnn import PNN
from ctr.models.poly2 import Poly2
from ctr.models.rnn import RNN
from ctr.models.wide_deep import WideDeep

__all__ = [
    "AFM",
    "CCPM",
    "DNN",
    "FFM",
    "FM",
    "FMDNN",
    "FNN",
    "HOFM",
    "LR",
    "NFM",
    "PNN",
    "RNN",
    "DeepCrossing",
    "DeepFM",
    "FmFM",
    "FwFM",
    "Poly2",
    "WideDeep",
]
