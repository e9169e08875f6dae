"""The pages of src/ctr/models: title, equation, paper, what each is held to, and which YAMLs choose it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[4]


@dataclass(frozen=True)
class Page:
    """A model's file: `name` is the file's, `model` the class's."""

    name: str
    model: str
    title: str
    docstring: str

    @property
    def citation(self) -> str:
        """The first sentence of the docstring's second paragraph; "et al." ends none."""
        paragraphs = [" ".join(paragraph.split()) for paragraph in self.docstring.split("\n\n")]
        return re.split(r"(?<!et al)(?<! v)\.\s", paragraphs[1] + " ")[0] if len(paragraphs) > 1 else ""

    @property
    def held_to(self) -> str:
        """What the docstring of its tests says."""
        tests = ast.parse((ROOT / f"tests/models/test_{self.name}.py").read_text(encoding="utf-8"))
        return " ".join((ast.get_docstring(tests) or "").split()).rstrip(".")

    @property
    def yamls(self) -> list[str]:
        """The configs/model that name its class, the shortest name first."""
        target = re.compile(rf"^_target_: ctr\.models\.{self.model}$", re.M)
        found = [path.stem for path in (ROOT / "configs/model").glob("*.yaml") if target.search(path.read_text())]
        return sorted(found, key=lambda name: (len(name), name))


@cache
def pages() -> tuple[Page, ...]:
    """All of them, by name."""
    return tuple(_read(path) for path in sorted((ROOT / "src/ctr/models").glob("[!_]*.py")))


def of_class(target: str) -> Page | None:
    """The page of a `_target_` such as ctr.models.NFM; None for other classes."""
    module, _, name = target.rpartition(".")
    return next((page for page in pages() if module == "ctr.models" and page.model == name), None)


def _read(path: Path) -> Page:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    (model,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
    return Page(path.stem, model.name, (ast.get_docstring(tree) or "").rstrip("."), ast.get_docstring(model) or "")
