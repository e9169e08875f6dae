"""The models, one a file. A model takes (ids, values) and returns one logit per example."""

from ctr.models.autoint import AutoInt
from ctr.models.dcn import DCN
from ctr.models.dcnv2 import DCNv2
from ctr.models.deepfm import DeepFM
from ctr.models.fibinet import FiBiNET
from ctr.models.fm import FM
from ctr.models.fnn import FNN
from ctr.models.nfm import NFM
from ctr.models.xdeepfm import XDeepFM

__all__ = ["DCN", "FM", "FNN", "NFM", "AutoInt", "DCNv2", "DeepFM", "FiBiNET", "XDeepFM"]
