"""The config that a command line of train.py stands for, without running it. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import hydra
from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from ctr.app.cli import explain
from ctr.app.words import quoted
from ctr.errors import UserError

CONFIGS = Path(__file__).parents[3] / "configs"
MISSING = "???"  # a value that the command has to give


def compose(overrides: Sequence[str], more: Path | None = None) -> DictConfig:
    """The config, interpolations and all; `more` is a folder of further configs, as --config-dir says. Raises UserError
    where it does not compose."""
    path = [] if more is None else [f"hydra.searchpath=[{quoted(f'file://{more.resolve()}')}]"]
    try:
        with initialize_config_dir(str(CONFIGS), version_base="1.3"):
            return hydra.compose("train", overrides=[*overrides, *path])
    except UserError:
        raise
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explain(error).splitlines()[0]) from error


def plain(cfg: DictConfig, missing: bool = False) -> dict[str, Any]:
    """The whole config as dicts, lists and numbers, with every interpolation resolved. Raises UserError where a value
    is still to be given, unless it may be `missing`."""
    try:
        container = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=not missing)
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key} has no value and no default; say {error.full_key}=...") from error
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key or 'config'}: {str(error).splitlines()[0]}") from error
    assert isinstance(container, dict)
    return cast(dict[str, Any], container)


def checked(config: DictConfig, trust: Sequence[str] = ()) -> dict[str, Any]:
    """The config in plain values. Raises UserError where it fits no class."""
    from ctr.app.config import check, check_root

    found = plain(config)
    check_root(found)
    check(found, trust)
    return found
