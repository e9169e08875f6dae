"""Puts the page together: reads runs, draws, fills the template, writes the file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ctr import disk
from ctr.app import config_keys, results
from ctr.app.facts import facts
from ctr.app.report import table
from ctr.app.report.board import Board, boards
from ctr.app.report.calibration import Calibration, calibration
from ctr.app.report.costs import costs
from ctr.app.report.learning import learning
from ctr.app.report.settings import independent, text
from ctr.app.report.sweep import sweep

NAME = "report.html"
MANY = 8  # groups from which they are the lines of the table of settings, and no longer its columns


@dataclass(frozen=True)
class Request:
    """The command line. `split` is that of the predictions; None makes none."""

    roots: tuple[Path, ...]
    out: Path
    split: str | None
    trust: tuple[str, ...]


def write(request: Request, say: Callable[[str], None]) -> Path:
    """The page of the runs under the roots. Raises UserError where no run has finished."""
    found = results.find(request.roots)
    text = page(found, request, say)
    request.out.parent.mkdir(parents=True, exist_ok=True)
    disk.write_text(request.out, text)
    return request.out


def page(found: results.Found, request: Request, say: Callable[[str], None]) -> str:
    environment = Environment(
        loader=PackageLoader("ctr.app.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    compared = boards(found.results)
    groups = sum(len(board.entries) for board in compared)
    script = environment.get_template("page.js").render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        style=Markup(environment.get_template("page.css").render()),  # noqa: S704  # our own files
        script=Markup(script),  # noqa: S704
        digest=digest,
        roots=[str(root) for root in request.roots],
        title=f"{counted(len(found.results), 'run')} in {counted(groups, 'group')}",
        facts=_facts(found),
        skipped=found.skipped,
        sections=[_section(board, request, say) for board in compared],
    )


def counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


def _facts(found: results.Found) -> dict[str, list[str]]:
    recorded = facts(result.folder for result in found.results)
    days = recorded["days"]
    return {
        "datasets": list(dict.fromkeys(result.dataset for result in found.results)),
        "seeds": [", ".join(map(str, sorted({result.seed for result in found.results})))],
        "days": [days[0] + (f" to {days[-1]}" if len(days) > 1 else "") + " (UTC)"],
        "versions": recorded["versions"] or ["not recorded"],
        "machines": recorded["machines"] or ["not recorded"],
    }


def _section(board: Board, request: Request, say: Callable[[str], None]) -> dict[str, Any]:
    curves, without_curves = learning(board)
    swept, not_swept = sweep(board)
    return {
        "board": board,
        "scores": table.scores(board),
        "tests": table.tests(board),
        "curves": curves,
        "without_curves": without_curves,
        "swept": swept,
        "not_swept": not_swept,
        "calibration": _calibration(board, request, say),
        "split": request.split,
        "costs": costs(board),
        "settings": _settings(board),
    }


def _calibration(board: Board, request: Request, say: Callable[[str], None]) -> Calibration | None:
    return None if request.split is None else calibration(board, request.split, request.trust, say)


def _settings(board: Board) -> dict[str, Any]:
    """The table of settings: a line a setting, or, for many groups, a line a group."""
    kept: Mapping[str, Sequence[Any]] = board.settings
    if turned := len(board.entries) > MANY:
        kept, _ = independent(kept)
    names = config_keys.short(kept)
    cells = {key: [text(value) for value in values] for key, values in kept.items()}
    return {"turned": turned, "names": names, "cells": cells}
