"""Scores a finished run again, with its best weights: `python scripts/evaluate.py RUN --split test`."""

import argparse
import json
from pathlib import Path

from ctr.app.cli import add_trust, guard
from ctr.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="the run's folder")
    parser.add_argument("--split", choices=["train", "valid", "test"], default="test")
    add_trust(parser)
    parser.add_argument("--device", help="where to evaluate, if not where it was trained")
    parser.add_argument("overrides", nargs="*", help="where its data are now, such as dataset.root=elsewhere")
    arguments = parser.parse_intermixed_args()

    from ctr.app import restore, run_folder

    run = restore.restore(arguments.run, arguments.overrides, arguments.trust, arguments.device)
    scores = run.trainer.evaluate(run.model, run.data, arguments.split).to_json()
    print(json.dumps({arguments.split: scores}, indent=2))
    if arguments.split != "train" and not arguments.overrides and arguments.device is None:
        if scores != (stored := run_folder.read_scores(arguments.run)[arguments.split]):
            raise UserError(f"the run's scores.json has {stored}: another machine, thread count or torch version?")
        print("equal to the run's scores.json")


if __name__ == "__main__":
    guard(main)
