"""Reproduces a published table: runs what is missing, and writes it beside ours with plots and verdicts.

python scripts/reproduce.py --list                       # the tables
python scripts/reproduce.py bars_frappe --list           # its rows, and how many of their runs are there
python scripts/reproduce.py bars_frappe                  # quick: a few rows, three seeds
python scripts/reproduce.py bars_frappe --budget full --only deepfm nfm
"""

import argparse
import shlex
import sys
from pathlib import Path

from ctr.app.cli import guard
from ctr.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", nargs="?", help="a name in tables/")
    parser.add_argument("--seeds", default="", help="such as 1,2,3; those of the table's budget by default")
    parser.add_argument("--budget", choices=["quick", "full"], default="quick")
    parser.add_argument("--processes", type=int, default=2, help="runs side by side; they share the cores")
    parser.add_argument("--device", help="of every run, such as cuda; what the rows' configs say by default")
    parser.add_argument("--root", type=Path, default=Path("outputs", "reproduce"), help="where the runs are")
    parser.add_argument("--out", type=Path, default=Path("docs", "results"), help="where the table is written")
    parser.add_argument("--only", nargs="+", default=[], metavar="ROW", help="run these rows alone, of any budget")
    parser.add_argument("--records", action="store_true", help="runs recorded beside the table count as made")
    parser.add_argument("--list", action="store_true", help="tell what there is; run nothing")
    parser.add_argument("--report", action="store_true", help="write the table of what has run; run nothing")
    arguments = parser.parse_args()

    from ctr.app.reproduce import command, reading

    if arguments.table is None:
        if not arguments.list:
            raise UserError(f"name a table: {', '.join(reading.names())}; --list tells more")
        print("\n".join(f"{name}: {reading.read(name).title}" for name in reading.names()))
        return
    if not all(word.strip().isdigit() for word in arguments.seeds.split(",") if word.strip()):
        raise UserError(f"--seeds: expected whole numbers such as 1,2,3; found {arguments.seeds!r}")
    request = command.Request(
        table=arguments.table,
        seeds=tuple(int(word) for word in arguments.seeds.split(",") if word.strip()),
        budget=arguments.budget,
        processes=arguments.processes,
        device=arguments.device,
        root=arguments.root,
        out=arguments.out,
        only=tuple(arguments.only),
        records=arguments.records,
        said=shlex.join(["python", "scripts/reproduce.py", *_without_folders(sys.argv[1:])]),
    )
    if arguments.list:
        print(command.listing(request))
        return
    failed, stopped = command.reproduce(request, lambda line: print(line, flush=True), run=not arguments.report)
    if failed:
        print(command.failures(failed), file=sys.stderr)
    if stopped is not None:
        print("stopped; the same command goes on", file=sys.stderr)
        sys.exit(128 + stopped)
    sys.exit(1 if failed else 0)


def _without_folders(words: list[str]) -> list[str]:
    """The command for the page, without places of this machine."""
    kept, skip = [], False
    for word in words:
        if not skip and not word.startswith(("--root=", "--out=")) and word not in ("--root", "--out"):
            kept.append(word)
        skip = word in ("--root", "--out")
    return kept


if __name__ == "__main__":
    guard(main)
