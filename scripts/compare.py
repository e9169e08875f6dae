"""Compares finished runs: how far apart are they, and could that be chance, over seeds and over rows?

python scripts/compare.py outputs/frappe/fm outputs/frappe/nfm     # two folders, each with the seeds of one config
python scripts/compare.py outputs/multirun                         # all pairs of what differs in more than the seed
"""

import argparse
from pathlib import Path

from ctr.app.cli import guard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", type=Path, help="run folders, or folders above")
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--metrics", default="", help="such as auc,log_loss, or all; the first two by default")
    parser.add_argument("--format", choices=["text", "markdown", "latex", "csv", "html"], default="text")
    arguments = parser.parse_intermixed_args()

    from ctr.app import compare, grids, tables

    grids.show(compare.grids(arguments.roots, arguments.split, tables.metrics(arguments.metrics)), arguments.format)


if __name__ == "__main__":
    guard(main)
