"""The models, one a file. A model takes (ids, values) and returns one logit per example."""

from ctr.models.afm import AFM
from ctr.models.deepfm import DeepFM
from ctr.models.ffm import FFM
from ctr.models.fm import FM
from ctr.models.fmfm import FmFM
from ctr.models.fnn import FNN
from ctr.models.fwfm import FwFM
from ctr.models.hofm import HOFM
from ctr.models.lr import LR
from ctr.models.nfm import NFM
from ctr.models.poly2 import Poly2

__all__ = ["AFM", "FFM", "FM", "FNN", "HOFM", "LR", "NFM", "DeepFM", "FmFM", "FwFM", "Poly2"]
