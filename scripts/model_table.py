"""Writes the README's table of models from their pages, YAMLs and tests: `python scripts/model_table.py`.

A row is a page of src/ctr/models: the names of its YAMLs, the page's title, the citation that opens the second
paragraph of the class's docstring, and what tests/models/test_<page>.py says the model is held to.
"""

import argparse

from ctr.app.guide.pages import ROOT, pages

START, END = "<!-- models: written by scripts/model_table.py -->\n", "<!-- end of models -->\n"


def table() -> str:
    lines = ["| `model=` | what | paper | held to |", "|---|---|---|---|"]
    for page in pages():
        names = ", ".join(f"`{name}`" for name in page.yamls)
        lines.append(f"| {names} | {page.title} | {page.citation} | {page.held_to} |")
    return "\n".join(lines) + "\n"


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
