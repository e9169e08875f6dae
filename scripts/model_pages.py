"""Writes docs/models: a page for each model, from its code, YAMLs, tests and experiments.

python scripts/model_pages.py
"""

import argparse

from ctr.app.cli import guard


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()

    from ctr import disk
    from ctr.app.pictures.page import written

    pages = written()
    for path, text in pages.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        disk.write_text(path, text)
    print(f"{len(pages)} pages in {path.parent}")


if __name__ == "__main__":
    guard(main)
