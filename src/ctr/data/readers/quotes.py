"""Where records end in text with quotes, and quotes that stand where none may."""

from __future__ import annotations

import numpy as np

from ctr.data.readers.base import Reject
from ctr.errors import UserError

NEWLINE, RETURN = ord("\n"), ord("\r")
MOST_STRAYS = 1000  # in a block; more of them are no accident


def ends(content: bytes, quote: str | None) -> np.ndarray:
    """Where the record ends: the place after each line end that is not between quotes."""
    letters = np.frombuffer(content, dtype=np.uint8)
    newlines = np.flatnonzero(letters == NEWLINE)
    if quote is not None and quote.encode() in content:
        marks = np.flatnonzero(letters == ord(quote))
        newlines = newlines[np.searchsorted(marks, newlines) % 2 == 0]
    return newlines + 1


def first_end(content: bytes, quote: str | None) -> int:
    """The place after the first whole record, 0 where there is none."""
    end, open_quotes = 0, 0
    while newline := content.find(b"\n", end) + 1:
        open_quotes += 0 if quote is None else content.count(quote.encode(), end, newline)
        end = newline
        if open_quotes % 2 == 0:
            return end
    return 0


def last_end(content: bytes, quote: str | None) -> int:
    """The place after the last whole record, 0 where there is none."""
    if quote is None or quote.encode() not in content:
        return content.rfind(b"\n") + 1
    return int(ends(content, quote)[-1:].sum())


def without_strays(content: bytes, line: int, delimiter: str, quote: str, final: bool) -> tuple[bytes, list[Reject]]:
    """The text without the lines where a quote stands inside a cell, or opens one that never ends.

    `line` is the number of the first line; a quote that is open at the end is wrong in the `final` text only.
    """
    rejects: list[Reject] = []
    while quote.encode() in content:
        place = _stray(content, delimiter, quote, final)
        if place is None or (not final and content.find(b"\n", place) < 0):
            break  # nothing wrong, or in a line that is not read to its end yet
        start = content.rfind(b"\n", 0, place) + 1
        stop = (content.find(b"\n", place) + 1) or len(content)
        text = content[start:stop].decode(errors="replace").rstrip("\r\n")
        number = line + content.count(b"\n", 0, start)
        for reject in sorted(rejects):
            number += reject.line <= number
        advice = "double it inside a quoted cell, or set reader.quote=null where quotes are letters"
        rejects.append(Reject(number, f"expected quotes only around whole cells; {advice}", text))
        if len(rejects) > MOST_STRAYS:
            raise UserError(f"line {number}: more than {MOST_STRAYS:,} quotes inside cells; {advice}")
        content = content[:start] + content[stop:]
    return content, rejects


def _stray(content: bytes, delimiter: str, quote: str, final: bool) -> int | None:
    """The place of the first quote that opens inside a cell, or opens a cell that does not end where a quote closes."""
    letters = np.frombuffer(content, dtype=np.uint8)
    marks = np.flatnonzero(letters == ord(quote))
    around = np.concatenate([[NEWLINE], letters, [NEWLINE]])
    before, after = around[marks], around[marks + 2]
    opening = np.arange(len(marks)) % 2 == 0
    fine_before = (before == ord(delimiter)) | (before == NEWLINE) | (before == ord(quote))
    fine_after = (after == ord(delimiter)) | (after == NEWLINE) | (after == RETURN) | (after == ord(quote))
    wrong = np.flatnonzero(np.where(opening, ~fine_before, ~fine_after))
    if len(wrong):
        return int(marks[wrong[0] // 2 * 2])
    return int(marks[-1]) if final and len(marks) % 2 else None
