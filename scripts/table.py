"""Prints finished runs as a table: mean, standard deviation and 95 % interval over seeds, and what the runs cost.

python scripts/table.py outputs
python scripts/table.py outputs --metrics auc,log_loss --format latex
"""

import argparse
from pathlib import Path

from ctr.app.cli import add_table_options, guard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="*", type=Path, default=[Path("outputs")], help="run folders, or folders above")
    add_table_options(parser)
    arguments = parser.parse_intermixed_args()

    from ctr.app import grids, tables

    grids.show(tables.grids(arguments.roots, arguments.split, tables.metrics(arguments.metrics)), arguments.format)


if __name__ == "__main__":
    guard(main)
