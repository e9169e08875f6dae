"""Fits a model of another library under the same protocol, into a run folder like that of train.py.

python scripts/baseline.py logistic_regression dataset=frappe
python scripts/baseline.py gradient_boosting dataset=frappe seed=2
python scripts/baseline.py lightgbm dataset=frappe              # needs the extra: pip install -e ".[baselines]"
python scripts/baseline.py fuxictr experiment=deepfm_frappe_bars  # a config's model as FuxiCTR has it; needs a checkout
"""

import argparse
from pathlib import Path

from ctr.app.cli import guard


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="logistic_regression, gradient_boosting, lightgbm or fuxictr")
    parser.add_argument("--out", type=Path, help="the run's folder; outputs/<dataset>/<name>/<time> by default")
    parser.add_argument(
        "overrides",
        nargs="*",
        help="as for train.py: dataset, task, metrics, monitor, seed, threads; fuxictr reads all",
    )
    arguments = parser.parse_intermixed_args()

    from rich.console import Console

    from ctr.app.baselines.run import run

    run(arguments.name, arguments.overrides, arguments.out, Console())


if __name__ == "__main__":
    guard(main)
