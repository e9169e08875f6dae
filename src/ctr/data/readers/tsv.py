"""Tables divided by tabs."""

from __future__ import annotations

from collections.abc import Sequence

from ctr.data.readers.csv import CSV


class TSV(CSV):
    """A CSV whose delimiter is the tab, and whose quotes are letters unless `quote` says otherwise."""

    def __init__(self, *, quote: str | None = None, columns: Sequence[str] | None = None):
        super().__init__(delimiter="\t", quote=quote, columns=columns)


READER = TSV
