"""Prints finished runs as a table, mean ± standard deviation over seeds: `python scripts/tabulate.py outputs`."""

import argparse
from pathlib import Path

from ctr.app.cli import guard
from ctr.errors import UserError, nearest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("roots", nargs="*", type=Path, default=[Path("outputs")], help="run folders, or folders above")
    parser.add_argument("--split", choices=["valid", "test"], default="test")
    parser.add_argument("--metrics", default="", help="such as auc,log_loss; all by default")
    parser.add_argument("--format", choices=["text", "markdown", "csv"], default="text")
    arguments = parser.parse_args()

    from ctr.app.tables import markdown, table
    from ctr.metrics import METRICS

    metrics = [name for name in arguments.metrics.split(",") if name]
    if unknown := [name for name in metrics if name not in METRICS]:
        raise UserError(
            f"there is no metric {unknown[0]!r}; known are {', '.join(METRICS)}{nearest(unknown[0], METRICS)}"
        )
    frame = table(arguments.roots, arguments.split, metrics)
    if arguments.format == "csv":
        print(frame.to_csv(index=False), end="")
    elif arguments.format == "markdown":
        print(markdown(frame))
    else:
        print(frame.to_string(index=False))


if __name__ == "__main__":
    guard(main)
