"""Prepares a dataset without training on it, and says what was kept and where.

python scripts/prepare.py frappe
python scripts/prepare.py criteo_kaggle dataset.root=/data/criteo
"""

import argparse

from rich.console import Console

from ctr.app.cli import guard
from ctr.app.datasets import open_dataset


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="a name in configs/dataset")
    parser.add_argument("overrides", nargs="*", help="keys of dataset=..., as for train.py")
    arguments = parser.parse_args()
    data = open_dataset(arguments.dataset, arguments.overrides)
    console = Console()
    console.print(data.summary, soft_wrap=True, highlight=False)
    if (folder := getattr(data, "folder", None)) is not None:
        console.print(f"prepared  {folder}", soft_wrap=True, highlight=False)


if __name__ == "__main__":
    guard(main)
