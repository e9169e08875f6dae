"""The models, one a file. A model takes (ids, values) and returns one logit per example."""

from ctr.models.afm import AFM
from ctr.models.afn import AFN
from ctr.models.autoint import AutoInt
from ctr.models.ccpm import CCPM
from ctr.models.dcn import DCN
from ctr.models.dcnv2 import DCNv2
from ctr.models.deepcrossing import DeepCrossing
from ctr.models.deepfm import DeepFM
from ctr.models.dnn import DNN
from ctr.models.ffm import FFM
from ctr.models.fibinet import FiBiNET
from ctr.models.finalmlp import FinalMLP
from ctr.models.finalnet import FinalNet
from ctr.models.fm import FM
from ctr.models.fm_dnn import FMDNN
from ctr.models.fmfm import FmFM
from ctr.models.fnn import FNN
from ctr.models.fwfm import FwFM
from ctr.models.gdcn import GDCN
from ctr.models.hofm import HOFM
from ctr.models.lr import LR
from ctr.models.masknet import MaskNet
from ctr.models.nfm import NFM
from ctr.models.pnn import PNN
from ctr.models.poly2 import Poly2
from ctr.models.rnn import RNN
from ctr.models.wide_deep import WideDeep
from ctr.models.xdeepfm import XDeepFM

__all__ = [
    "AFM",
    "AFN",
    "CCPM",
    "DCN",
    "DNN",
    "FFM",
    "FM",
    "FMDNN",
    "FNN",
    "GDCN",
    "HOFM",
    "LR",
    "NFM",
    "PNN",
    "RNN",
    "AutoInt",
    "DCNv2",
    "DeepCrossing",
    "DeepFM",
    "FiBiNET",
    "FinalMLP",
    "FinalNet",
    "FmFM",
    "FwFM",
    "MaskNet",
    "Poly2",
    "WideDeep",
    "XDeepFM",
]
