"""Formats of files, one a file: a module here whose READER is a Reader is a format of its name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from ctr.data.readers.base import Reader
from ctr.data.registry import check_options, offered
from ctr.errors import UserError, nearest

READERS: dict[str, Any] = offered(sys.modules[__name__], "READER")


def reader(spec: Any) -> Reader:
    """The reader of a config node: a format, or a format with options.

    Raises UserError for an unknown format or option, with the nearest known one.
    """
    options = dict(spec) if isinstance(spec, Mapping) else {"format": spec}
    format = options.pop("format", None)
    if not isinstance(format, str) or format not in READERS:
        meant = nearest(format, READERS)
        raise UserError(f"reader: format must be one of {', '.join(READERS)}, found {format!r}{meant}")
    check_options(f"reader: {format}", READERS[format], options, f"format: {format}")
    made: Reader = READERS[format](**options)
    return made
