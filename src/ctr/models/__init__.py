"""The models, one a file. A model takes (ids, values) and returns one logit per example."""

from ctr.models.afn import AFN
from ctr.models.deepfm import DeepFM
from ctr.models.finalmlp import FinalMLP
from ctr.models.finalnet import FinalNet
from ctr.models.fm import FM
from ctr.models.fnn import FNN
from ctr.models.gdcn import GDCN
from ctr.models.masknet import MaskNet
from ctr.models.nfm import NFM

__all__ = ["AFN", "FM", "FNN", "GDCN", "NFM", "DeepFM", "FinalMLP", "FinalNet", "MaskNet"]
