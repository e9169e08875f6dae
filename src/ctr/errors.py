"""What is meant for the person at the keyboard."""

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(ValueError):
    """Something in the command, the config or the data has to change.

    The message says what was found, where, what was expected and how to mend it; the command line prints it
    without a traceback. Every other exception is a defect of ours and keeps its traceback.
    """


class Stopped(BaseException):
    """The training was asked to stop and has saved its state; the same command goes on from there.

    Like KeyboardInterrupt it is no Exception: a sweep does not go on to its next job.
    """


def nearest(word: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: "; did you mean ...?", or nothing where none is near."""
    close = get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
