"""The models, one a file. A model takes (ids, values) and returns one logit per example."""

from ctr.models.deepfm import DeepFM
from ctr.models.fm import FM
from ctr.models.fnn import FNN
from ctr.models.nfm import NFM

__all__ = ["FM", "FNN", "NFM", "DeepFM"]
