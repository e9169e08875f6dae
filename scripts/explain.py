"""Tells what trained models go by: their fields, pairs of fields, one row, a feature's neighbours.

python scripts/explain.py outputs/frappe/fm                       # runs of one config, whatever their seeds
python scripts/explain.py RUN --row 17                            # what the logit of row 17 of valid is made of
python scripts/explain.py RUN --nearest country=France            # which features have a like vector
"""

import argparse
from pathlib import Path

from rich.console import Console

from ctr.app.cli import add_trust, guard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path, help="runs that differ in the seed alone, or folders above them")
    parser.add_argument("--split", choices=["train", "valid", "test"], default="valid")
    parser.add_argument("--rows", type=int, default=100_000, help="at most so many rows of the split, drawn by --seed")
    parser.add_argument("--repeats", type=int, default=5, help="shuffles of each field")
    parser.add_argument("--seed", type=int, default=1, help="of the drawn rows and the shuffles")
    parser.add_argument("--row", type=int, help="tell of this row of the split alone, counted from 0")
    parser.add_argument("--nearest", nargs="+", default=[], metavar="FIELD=TOKEN", help="or a feature id")
    parser.add_argument("--count", type=int, default=10, help="how many nearest ones")
    parser.add_argument("--out", type=Path, help="where to write; explain/ beside the runs by default")
    add_trust(parser)
    parser.add_argument("--device", help="where to evaluate, if not where it was trained")
    arguments = vars(parser.parse_intermixed_args())

    from ctr.app.explain.command import Request, explain

    explain(Request(roots=arguments.pop("runs"), **arguments), Console())


if __name__ == "__main__":
    guard(main)
