"""The models, one a file. A model takes (ids, values) and returns one logit per example."""

from ctr.models.ccpm import CCPM
from ctr.models.deepcrossing import DeepCrossing
from ctr.models.deepfm import DeepFM
from ctr.models.dnn import DNN
from ctr.models.fm import FM
from ctr.models.fm_dnn import FMDNN
from ctr.models.fnn import FNN
from ctr.models.nfm import NFM
from ctr.models.pnn import PNN
from ctr.models.rnn import RNN
from ctr.models.wide_deep import WideDeep

__all__ = ["CCPM", "DNN", "FM", "FMDNN", "FNN", "NFM", "PNN", "RNN", "DeepCrossing", "DeepFM", "WideDeep"]
