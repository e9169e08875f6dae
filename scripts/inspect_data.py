"""Looks a dataset over before anything is trained on it: what is suspicious, and what is in every field.

python scripts/inspect_data.py frappe
python scripts/inspect_data.py movielens_100k task=regression --out ratings.html
"""

import argparse
from pathlib import Path

from rich.console import Console

from ctr.app.cli import guard
from ctr.app.datasets import open_dataset
from ctr.errors import UserError

WIDTH = 160  # of a report that goes to a file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="a name in configs/dataset")
    parser.add_argument("overrides", nargs="*", help="as for train.py")
    parser.add_argument("--out", type=Path, help="the page; outputs/inspect/<dataset>.html by default")
    arguments = parser.parse_intermixed_args()
    data = open_dataset(arguments.dataset, arguments.overrides)

    from ctr.data.doctor import examine
    from ctr.data.doctor.findings import findings
    from ctr.data.doctor.page import write_page
    from ctr.data.doctor_report import print_report
    from ctr.data.module import Data

    if not isinstance(data, Data):
        raise UserError(
            f"{arguments.dataset} opens as {type(data).__name__}; only a ctr.data.module.Data can be inspected"
        )
    seen = examine(data)
    found = findings(seen)
    console = Console()
    print_report(console if console.is_terminal else Console(width=WIDTH), arguments.dataset, seen, found)
    out = arguments.out or Path("outputs", "inspect", f"{arguments.dataset}.html")
    write_page(out, arguments.dataset, seen, found)
    console.print(f"\npage  {out}", soft_wrap=True, highlight=False, markup=False)


if __name__ == "__main__":
    guard(main)
