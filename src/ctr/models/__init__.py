"""The models, one a file. A model takes (ids, values) and returns one logit per example.

Each page's class is found and exported by itself, as `ctr.models.NFM`: a new model is a new file, and no line here.
A type checker, which runs nothing, sees the class on its page: `from ctr.models.nfm import NFM`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

from torch import nn


def _on_page(module: str) -> dict[str, type[nn.Module]]:
    """The public models that a module defines; what it imports is another's."""
    return {
        name: found
        for name, found in vars(importlib.import_module(module)).items()
        if isinstance(found, type)
        and issubclass(found, nn.Module)
        and found.__module__ == module
        and not name.startswith("_")
    }


_MODELS = {
    name: model
    for page in pkgutil.iter_modules(__path__, f"{__name__}.")
    for name, model in _on_page(page.name).items()
}
__all__ = sorted(_MODELS)
globals().update(_MODELS)

if TYPE_CHECKING:

    def __getattr__(name: str) -> type[nn.Module]: ...
