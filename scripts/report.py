"""Writes finished runs as one HTML page that opens without a server: scores, curves, sweeps, calibration, costs.

python scripts/report.py outputs                      # the page is outputs/report.html
python scripts/report.py outputs/multirun --out sweep.html --no-predictions
"""

import argparse
from pathlib import Path

from ctr.app.cli import add_trust, guard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", nargs="*", type=Path, default=[Path("outputs")], help="run folders, or folders above")
    parser.add_argument("--out", type=Path, help="the page; report.html in the first of the folders by default")
    parser.add_argument("--split", choices=["valid", "test"], default="valid", help="whose rows to predict")
    parser.add_argument("--no-predictions", action="store_true", help="where the data are not at hand: no calibration")
    add_trust(parser)
    arguments = parser.parse_intermixed_args()

    from ctr.app.report.page import NAME, Request, write

    request = Request(
        roots=tuple(arguments.roots),
        out=arguments.out or arguments.roots[0] / NAME,
        split=None if arguments.no_predictions else arguments.split,
        trust=tuple(arguments.trust),
    )
    print(f"page  {write(request, lambda line: print(line, flush=True))}")


if __name__ == "__main__":
    guard(main)
