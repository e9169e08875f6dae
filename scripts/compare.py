"""Compares finished runs: how far apart are they, and could that be chance, over seeds and over rows?

python scripts/compare.py outputs/frappe/fm outputs/frappe/nfm     # two folders, each with the seeds of one config
python scripts/compare.py outputs/multirun                         # all pairs of what differs in more than the seed
"""

import argparse
from pathlib import Path

from ctr.app.cli import add_table_options, guard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="+", type=Path, help="run folders, or folders above")
    add_table_options(parser)
    arguments = parser.parse_intermixed_args()

    from ctr.app import compare, grids, tables

    grids.show(compare.grids(arguments.roots, arguments.split, tables.metrics(arguments.metrics)), arguments.format)


if __name__ == "__main__":
    guard(main)
