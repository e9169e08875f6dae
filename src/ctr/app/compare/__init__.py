"""Comparisons of finished runs: `compare` has the numbers, `grids` what is shown of them."""

from ctr.app.compare.page import grids, shown
from ctr.app.compare.pairs import Comparison, Tested, compare

__all__ = ["Comparison", "Tested", "compare", "grids", "shown"]
