"""From files to batches. A recipe (Synthetic, Table, LibFM) opens into a DataModule."""

from ctr.data.libfm import LibFM
from ctr.data.synthetic import Synthetic
from ctr.data.table import Table

__all__ = ["LibFM", "Synthetic", "Table"]
