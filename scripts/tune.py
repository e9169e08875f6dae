"""Searches settings with Optuna: trials are runs of train.py, judged by the valid split alone.

python scripts/tune.py --list                                # the searches in configs/sweep/
python scripts/tune.py sweep=nfm_frappe                      # killed or stopped, the same command goes on
python scripts/tune.py sweep=my/own.yaml trainer.max_epochs=30 --processes 2
python scripts/tune.py sweep=nfm_frappe --trials 60          # more of them
"""

import argparse
import importlib.util
import shlex
import sys
from pathlib import Path

from ctr.app.cli import guard
from ctr.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help="sweep=NAME, and overrides of every trial")
    parser.add_argument("--trials", type=int, help="another budget than the sweep's, for each of its models")
    parser.add_argument("--processes", type=int, default=1, help="runs side by side; they share the cores")
    parser.add_argument("--out", type=Path, help="the search's folder; outputs/tune/NAME by default")
    parser.add_argument("--retry", action="store_true", help="try failed trials once more")
    parser.add_argument("--report", action="store_true", help="write the report of what has run; run nothing")
    parser.add_argument("--list", action="store_true", help="tell which sweeps there are; run nothing")
    arguments = parser.parse_intermixed_args()
    if importlib.util.find_spec("optuna") is None:
        raise UserError("tuning needs Optuna: pip install 'ctr-workbench[tune]', or pip install 'optuna>=4'")

    from ctr.app.tune import command, reading

    if arguments.list:
        print(command.listing())
        return
    names = [word.removeprefix("sweep=") for word in arguments.words if word.startswith("sweep=")]
    if len(names) != 1:
        raise UserError(f"say sweep=NAME once; there are {', '.join(reading.names())}")
    request = command.Request(
        sweep=names[0],
        overrides=tuple(word for word in arguments.words if not word.startswith("sweep=")),
        trials=arguments.trials,
        processes=arguments.processes,
        out=arguments.out,
        said=shlex.join(["python", "scripts/tune.py", *sys.argv[1:]]),
    )
    found, stopped = command.tune(
        request, lambda line: print(line, flush=True), run=not arguments.report, retry=arguments.retry
    )
    if stopped is not None:
        print("stopped; the same command goes on", file=sys.stderr)
        sys.exit(128 + stopped)
    sys.exit(0 if all(outcome.best for outcome in found) else 1)


if __name__ == "__main__":
    guard(main)
