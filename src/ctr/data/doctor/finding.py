"""What a person is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Finding:
    """`what` was seen `where`, `why` it matters, how to `mend` it."""

    severity: Literal["warning", "note"]
    where: str
    what: str
    why: str
    mend: str
