"""Tables of finished runs: `tables` has the numbers, `shown` the text."""

from ctr.app.tables.numbers import Row, Score, Table, table, tables
from ctr.app.tables.page import frame, grids, shown
from ctr.app.tables.words import metrics

__all__ = ["Row", "Score", "Table", "frame", "grids", "metrics", "shown", "table", "tables"]
