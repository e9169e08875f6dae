"""Prints finished runs as a table, mean ± standard deviation over seeds: `python scripts/tabulate.py outputs`."""

import argparse
from pathlib import Path

from ctr.app.cli import guard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roots", nargs="*", type=Path, default=[Path("outputs")], help="run folders, or folders above")
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--metrics", nargs="+", default=[], help="all by default")
    parser.add_argument("--format", choices=["text", "markdown", "csv"], default="text")
    arguments = parser.parse_args()

    from ctr.app.tables import markdown, table

    frame = table(arguments.roots, arguments.split, arguments.metrics)
    if arguments.format == "csv":
        print(frame.to_csv(index=False), end="")
    elif arguments.format == "markdown":
        print(markdown(frame))
    else:
        print(frame.to_string(index=False))


if __name__ == "__main__":
    guard(main)
