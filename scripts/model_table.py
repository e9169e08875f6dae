"""Writes the README's table of models from their pages, YAMLs and tests: `python scripts/model_table.py`.

A row is a page of src/ctr/models: the names of its YAMLs, the page's title, the citation that opens the second
paragraph of the class's docstring, and what tests/models/test_<page>.py says the model is held to.
"""

import argparse
import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
START, END = "<!-- models: written by scripts/model_table.py -->\n", "<!-- end of models -->\n"


def table() -> str:
    lines = ["| `model=` | what | paper | held to |", "|---|---|---|---|"]
    for page in sorted((ROOT / "src/ctr/models").glob("[!_]*.py")):
        tree = ast.parse(page.read_text(encoding="utf-8"))
        (model,) = (node for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_"))
        title = (ast.get_docstring(tree) or "").rstrip(".")
        tests = ast.parse((ROOT / f"tests/models/test_{page.stem}.py").read_text(encoding="utf-8"))
        held = " ".join((ast.get_docstring(tests) or "").split()).rstrip(".")
        names = ", ".join(f"`{name}`" for name in yamls(model.name))
        lines.append(f"| {names} | {title} | {citation(ast.get_docstring(model) or '')} | {held} |")
    return "\n".join(lines) + "\n"


def yamls(model: str) -> list[str]:
    """The configs/model that name this class, the shortest name first."""
    target = re.compile(rf"^_target_: ctr\.models\.{model}$", re.M)
    found = [path.stem for path in (ROOT / "configs/model").glob("*.yaml") if target.search(path.read_text())]
    return sorted(found, key=lambda name: (len(name), name))


def citation(docstring: str) -> str:
    """The first sentence of the second paragraph; "et al." ends none."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in docstring.split("\n\n")]
    return re.split(r"(?<!et al)(?<! v)\.\s", paragraphs[1] + " ")[0] if len(paragraphs) > 1 else ""


def written(readme: str) -> str:
    """The README with the table as it should be."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return before + START + table() + END + after


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    path = ROOT / "README.md"
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
