"""Kinds of column, one a file: a module here whose KIND is a Column is a kind of its name."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctr.data.columns.base import Column, TokenColumn
from ctr.data.registry import check_options, offered
from ctr.errors import UserError, nearest

KINDS: dict[str, Any] = offered(sys.modules[__name__], "KIND")
ANY_KIND = ("column", "missing", "share")  # options that every kind has


@dataclass(frozen=True)
class FieldRecipe:
    """A field as the config describes it."""

    name: str
    column: str  # of the file
    missing: tuple[str, ...] | None  # texts that mean a missing value here; None: those of the dataset
    share: str | None  # the field whose vocabulary and feature ids this one uses
    kind: Column | TokenColumn


def field_recipe(name: str, spec: Any) -> FieldRecipe:
    """The recipe of a field from its line in the config: a kind, or a kind with options.

    Raises UserError for an unknown kind or option, with the nearest known one.
    """
    options = dict(spec) if isinstance(spec, Mapping) else {"kind": spec}
    kind = options.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"field {name!r}: kind must be one of {', '.join(KINDS)}, found {kind!r}{nearest(kind, KINDS)}")
    column, missing, share = (options.pop(option, None) for option in ANY_KIND)
    check_options(f"field {name!r}: a {kind} field", KINDS[kind], options, f"kind: {kind}", also=ANY_KIND)
    if missing is not None and not (isinstance(missing, list) and all(isinstance(text, str) for text in missing)):
        raise UserError(f"field {name!r}: missing must be a list of texts, found {missing!r}")
    try:
        made: Column | TokenColumn = KINDS[kind](**options)
    except UserError as error:
        raise UserError(f"field {name!r}: {error}") from error
    if share is not None and not isinstance(made, TokenColumn):
        raise UserError(f"field {name!r}: a {kind} field has no vocabulary that it could share")
    return FieldRecipe(name, column or name, None if missing is None else tuple(missing), share, made)
