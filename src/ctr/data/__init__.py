"""Datasets: recipes that `open()` into splits of rows. What is exported here can be named in a config."""

from ctr.data.synthetic import Synthetic
from ctr.data.table import Prepared, Table, from_frames

RECIPES = ["Prepared", "Synthetic", "Table"]

__all__ = ["Prepared", "Synthetic", "Table", "from_frames"]
