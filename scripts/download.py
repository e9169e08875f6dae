"""Fetches a dataset's public original and builds what its config reads: `python scripts/download.py frappe`."""

import argparse
import os
import sys
from pathlib import Path

from ctr.app.cli import guard
from ctr.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", nargs="?", help="the dataset")
    parser.add_argument("--list", action="store_true", help="tell what there is, how large, on which terms")
    parser.add_argument(
        "--to",
        type=Path,
        metavar="FOLDER",
        default=Path(os.environ.get("CTR_DATA", "data")),
        help="where all datasets lie; without it $CTR_DATA, else data",
    )
    arguments = parser.parse_args()

    from ctr.data import originals

    if arguments.list:
        print(originals.listing())
        return
    if arguments.name is None:
        raise UserError(f"name a dataset: {', '.join(originals.DATASETS)}; --list tells more")
    try:
        originals.prepare(arguments.name, arguments.to, print)
    except KeyboardInterrupt:
        print("stopped; the same command goes on with the next file that is missing", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    guard(main)
