"""A table to reproduce, as data: its rows, what was published, what is claimed, what is drawn."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctr.errors import UserError, nearest

SLUG = 60  # characters of a run folder's name before its hash


@dataclass(frozen=True)
class Published:
    """A number from a paper or a benchmark."""

    score: str
    value: float
    spread: float | None
    seeds: int | None
    source: str


@dataclass(frozen=True)
class Row:
    """What is run once a seed: `train.py` with these overrides, or a baseline with them.

    `repeat` are the overrides of one repetition, with {n} for its number. `score` is the one that `target`, a band of
    its mean, is of; `quick` puts the row into the quick budget; `beside` names the rows of the same settings in another
    library.
    """

    name: str
    overrides: tuple[str, ...]
    repeat: tuple[str, ...]
    score: str
    baseline: str | None = None
    published: tuple[Published, ...] = ()
    target: tuple[float, float] | None = None
    quick: bool = False
    note: str = ""
    beside: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Names the folder of the row's runs. Tables share it where they say the same, in whatever order."""
        said = [*sorted(self.overrides), *self.repeat[1:]]
        if self.baseline:
            said = [self.baseline, *said]
        values = [re.sub(r"^[\w@.]*?(\w+)=", _short, word) for word in said]
        slug = re.sub(r"[^\w.]+", "-", "_".join(values)).strip("-_")[:SLUG].rstrip("-_.")
        return f"{slug}-{hashlib.sha256(repr((said, self.repeat)).encode()).hexdigest()[:8]}"

    def arguments(self, number: int) -> list[str]:
        """The overrides of one repetition."""
        return [*self.overrides, *(word.format(n=number) for word in self.repeat)]


def _short(match: re.Match[str]) -> str:
    """Of `experiment=x` and `model=x` the value says enough, of `trainer.clip_norm=x` the last name too."""
    return "" if match[0] in ("experiment=", "model=", "dataset=") else f"{match[1]}-"


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a score of a row."""

    row: str
    score: str


@dataclass(frozen=True)
class Claim:
    """What a source says, and how it is decided; `kind` is one of KINDS (ctr.app.reproduce.claims)."""

    name: str
    says: str
    kind: str
    left: tuple[Side, ...] = ()
    right: tuple[Side, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")
    reason: str = ""


@dataclass(frozen=True)
class Grid:
    """Rows that are all pairs of a row and a column, by name."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]

    @staticmethod
    def cell(row: str, column: str) -> str:
        return f"{row}, {column}"


@dataclass(frozen=True)
class Plot:
    """`kind` curves: of `rows` over epochs; heat and sweep: of a grid."""

    name: str
    title: str
    kind: str
    score: str
    claims: tuple[str, ...] = ()  # whose verdicts stand over it
    rows: tuple[str, ...] = ()
    grid: Grid | None = None


@dataclass(frozen=True)
class Table:
    name: str
    title: str
    about: str
    notes: tuple[str, ...]
    scores: tuple[str, ...]
    repetition: str  # what a repetition is called: seed, fold
    seeds: Mapping[str, tuple[int, ...]]  # by budget
    rows: tuple[Row, ...]
    claims: tuple[Claim, ...]
    plots: tuple[Plot, ...]

    def row(self, name: str) -> Row:
        """The row of this name. Raises UserError where there is none."""
        for row in self.rows:
            if row.name == name:
                return row
        names = [row.name for row in self.rows]
        raise UserError(f"{self.name} has no row {name!r}; it has {'; '.join(names)}{nearest(name, names)}")

    def every_score(self) -> set[str]:
        """The names of all scores that it shows, compares or draws."""
        published = (one.score for row in self.rows for one in row.published)
        compared = (side.score for claim in self.claims for side in (*claim.left, *claim.right))
        return {*self.scores, *(row.score for row in self.rows), *published, *compared, *(p.score for p in self.plots)}

    def chosen(self, budget: str, only: Sequence[str] = ()) -> list[Row]:
        """The rows to run: those named, else those of the budget."""
        if only:
            return [self.row(name) for name in only]
        return [row for row in self.rows if row.quick or budget == "full"]
