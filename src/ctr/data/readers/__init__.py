"""Formats of files, one a file: a module here whose READER is a Reader is a format of its name."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from ctr.data.readers.base import Reader
from ctr.errors import UserError, nearest

_modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
READERS: dict[str, Any] = {
    module.__name__.rpartition(".")[2]: module.READER for module in _modules if hasattr(module, "READER")
}


def reader(spec: Any) -> Reader:
    """The reader of a config node: a format, or a format with options.

    Raises UserError for an unknown format or option, with the nearest known one.
    """
    options = dict(spec) if isinstance(spec, Mapping) else {"format": spec}
    format = options.pop("format", None)
    if not isinstance(format, str) or format not in READERS:
        meant = nearest(format, READERS)
        raise UserError(f"reader: format must be one of {', '.join(READERS)}, found {format!r}{meant}")
    parameters = inspect.signature(READERS[format]).parameters
    known = list(parameters)
    for option in options:
        if option not in known:
            has = f"only {', '.join(known)}" if known else "it has none"
            raise UserError(f"reader: {format} has no option {option!r}, {has}{nearest(option, known)}")
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            raise UserError(f"reader: {format} needs its {option}: {{format: {format}, {option}: ...}}")
    made: Reader = READERS[format](**options)
    return made
