"""Values as YAML writes them, and the comments of its files, which readers drop."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml


def opening(path: Path) -> list[str]:
    """The comment that opens a file, as paragraphs, without its commands."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith(("# @package", "#  ")):
            lines.append(line.removeprefix("#").strip())
    return [" ".join(lines)] if lines else []


def by_key(path: Path) -> dict[str, str]:
    """The comment at the end of each key's line at the margin, with the lines of comment that follow it."""
    found: dict[str, str] = {}
    key = None
    for line in path.read_text(encoding="utf-8").splitlines():
        if match := re.match(r"(\w+):.*?\s#\s(.*)", line):
            key = match[1]
            found[key] = match[2].strip()
        elif key and (more := re.match(r"\s+#\s(.*)", line)):
            found[key] += f" {more[1].strip()}"
        else:
            key = None
    return found


def one_line(value: Any) -> str:
    """A value as a YAML file would have it on one line."""
    return str(yaml.safe_dump(value, default_flow_style=True, width=10**6)).removesuffix("...\n").strip()
