"""What a package offers by name, and the options of what a config chooses from it."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from ctr.errors import UserError, nearest


def offered(package: ModuleType, attribute: str) -> dict[str, Any]:
    """This attribute of every module of the package that has one, by the module's name."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__)]
    modules = {name: import_module(f"{package.__name__}.{name}") for name in names}
    return {name: getattr(module, attribute) for name, module in modules.items() if hasattr(module, attribute)}


def check_options(
    subject: str, make: Callable[..., Any], options: Mapping[str, Any], example: str, also: Iterable[str] = ()
) -> None:
    """Raises UserError for an option that `make` does not take, with the nearest one, and for one that it needs and
    that is not there. `example`: what stands before the options in a config; `also`: options that `make` never sees."""
    parameters = inspect.signature(make).parameters
    known = [*parameters, *also]
    for option in options:
        if option not in parameters:
            has = f"only {', '.join(known)}" if known else "it has none"
            raise UserError(f"{subject} has no option {option!r}, {has}{nearest(option, known)}")
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in options:
            raise UserError(f"{subject} needs its {option}: {{{example}, {option}: ...}}")
