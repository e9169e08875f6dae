"""The page of docs/models about a model: what it is, how it looks, where its parameters are, how it is run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from torch import nn

from ctr.app.config import build
from ctr.app.guide import notes, settings
from ctr.app.guide.groups import CONFIGS
from ctr.app.guide.pages import ROOT, Page, pages
from ctr.app.pictures import tables
from ctr.app.pictures.mermaid import mermaid
from ctr.app.pictures.schemas import FRAPPE
from ctr.app.pictures.trace import trace

WRITTEN = "<!-- written by scripts/model_pages.py -->"


def written() -> dict[Path, str]:
    """All pages, by their place."""
    folder = ROOT / "docs/models"
    return {folder / f"{page.name}.md": text(page) for page in pages()} | {folder / "README.md": index()}


def index() -> str:
    lines = [
        WRITTEN,
        "# The models",
        "",
        "Each with its picture on Frappe's ten fields, its parameters and its settings. Our scores on Frappe are of "
        "train negatives that are re-drawn; those of BARS and of papers are of the published ones.",
        "",
    ]
    lines += ["| page | `model=` | paper |", "|---|---|---|"]
    for page in pages():
        names = ", ".join(f"`{name}`" for name in page.yamls)
        lines.append(f"| [{page.title}]({page.name}.md) | {names} | {page.citation} |")
    return "\n".join(lines) + "\n"


def text(page: Page) -> str:
    """One page, with a part for each of its YAMLs."""
    equation, *paragraphs = page.docstring.split("\n\n")
    said = [WRITTEN, f"# {page.title}", "", _code(" ".join(equation.split())), ""]
    said += [" ".join(paragraph.split()) + "\n" for paragraph in paragraphs]
    said += [f"The page of code is [{page.name}.py](../../src/ctr/models/{page.name}.py).", ""]
    if held := page.held_to:
        said += [f"**Held to**: {held}.", ""]
    for name in page.yamls:
        said += [*_choice(name), ""]
    return "\n".join(said).rstrip() + "\n"


def _choice(name: str) -> list[str]:
    path = CONFIGS / "model" / f"{name}.yaml"
    config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    model: nn.Module = build(config, path="model", schema=FRAPPE)
    graph = trace(model, FRAPPE)
    said = [f"## model={name}", "", *(f"{text}\n" for text in notes.opening(path))]
    said += ["```bash", f"python train.py model={name}", f"python scripts/configs.py show model/{name}", "```", ""]
    said += [f"On Frappe's {FRAPPE.num_fields} fields and {FRAPPE.num_features:,} features; B is the batch.", ""]
    said += ["```mermaid", mermaid(graph).rstrip(), "```", "", tables.markdown(graph)]
    said += ["Its arguments, `configs/model/" + f"{name}.yaml`:", "", "```yaml", _without_comment(path), "```"]
    for experiment in settings.experiments(name):
        said += ["", *_experiment(experiment)]
    return said


def _experiment(name: str) -> list[str]:
    path = CONFIGS / "experiment" / f"{name}.yaml"
    said = [f"**Settings of `configs/experiment/{name}.yaml`**", "", *(f"{text}\n" for text in notes.opening(path))]
    said += ["```bash", f"python train.py experiment={name}", "```", ""]
    return [*said, "```yaml", _without_comment(path), "```"]


def _without_comment(path: Path) -> str:
    """The file after the comment that opens it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    return "\n".join(lines[start:]).strip()


def _code(line: str) -> str:
    return f"```text\n{line}\n```"
