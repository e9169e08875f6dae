"""What can be said to train.py, and what it makes: choices and keys, differences, checks and pictures of models.

python scripts/configs.py ls                                     # the groups and their choices
python scripts/configs.py ls model                               # one group, a line about each choice
python scripts/configs.py show model/nfm                         # every argument explained
python scripts/configs.py show experiment=nfm_frappe seed=2      # a whole config, and what differs from the defaults
python scripts/configs.py diff nfm_frappe nfm_frappe_bars        # experiments, runs' folders or overrides
python scripts/configs.py check configs/model/nfm.yaml           # does it compose, do keys and values fit?
python scripts/configs.py draw model=nfm dataset=frappe --out nfm.svg
"""

import argparse
import sys
from pathlib import Path

from ctr.app.cli import add_trust, guard
from ctr.errors import UserError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="ls|show|diff|check|draw")
    ls = commands.add_parser("ls", help="the groups and their choices")
    ls.add_argument("group", nargs="?", help="one group, with a line about each choice")
    show = commands.add_parser("show", help="a choice explained, or a whole config")
    show.add_argument("words", nargs="+", metavar="GROUP/CHOICE|KEY=VALUE")
    diff = commands.add_parser("diff", help="in what two configs differ")
    for name in ("first", "second"):
        diff.add_argument(name, help="a run's folder, an experiment, or overrides in quotes")
    check = commands.add_parser("check", help="is a YAML file right? Exit status 1 where it is not")
    check.add_argument("file", type=Path)
    check.add_argument("--group", help="of a file outside configs/, where its content does not tell")
    draw = commands.add_parser("draw", help="a picture of a model")
    draw.add_argument("overrides", nargs="*", help="as for train.py")
    draw.add_argument("--out", type=Path, help="the file; the terminal by default")
    draw.add_argument("--format", choices=["svg", "mermaid", "table"], help="by default what --out ends with, or table")
    for one in (check, draw):
        add_trust(one)
    for one, act in ((ls, _ls), (show, _show), (diff, _diff), (check, _check), (draw, _draw)):
        one.set_defaults(act=act)
    said = commands.choices.get(sys.argv[1] if len(sys.argv) > 1 else "")
    # a parser of commands takes no options between words, but that of one command does
    arguments = said.parse_intermixed_args(sys.argv[2:]) if said else parser.parse_args()
    arguments.act(arguments)


def _ls(arguments: argparse.Namespace) -> None:
    from ctr.app.guide.groups import listing

    print(listing(arguments.group))


def _show(arguments: argparse.Namespace) -> None:
    from ctr.app.guide.show import show

    print(show(arguments.words), end="")


def _diff(arguments: argparse.Namespace) -> None:
    from ctr.app.guide.diff import diff

    print(diff(arguments.first, arguments.second), end="")


def _check(arguments: argparse.Namespace) -> None:
    from ctr.app.guide.check import check

    found = check(arguments.file, arguments.group, arguments.trust)
    if found.wrong:
        raise UserError("\n  ".join([f"{arguments.file}, {found.what}:", *found.wrong]))
    to_say = f"; a command has yet to say {', '.join(f'{key}=...' for key in found.to_say)}" if found.to_say else ""
    print(f"{arguments.file} is right: {found.what}{to_say}")


def _draw(arguments: argparse.Namespace) -> None:
    from ctr import disk
    from ctr.app.pictures.command import drawn

    ends = {".svg": "svg", ".md": "mermaid", ".mmd": "mermaid", ".txt": "table"}
    form = arguments.format or (ends.get(arguments.out.suffix) if arguments.out else "table")
    if form is None:
        raise UserError(f"--out {arguments.out}: say --format, or let it end with {', '.join(ends)}")
    text, remark = drawn(arguments.overrides, form, arguments.trust)
    if remark:
        print(remark, file=sys.stderr)
    if arguments.out is None:
        print(text, end="")
        return
    if arguments.out.suffix == ".md":
        text = f"```mermaid\n{text}```\n"
    disk.write_text(arguments.out, text)
    print(f"picture  {arguments.out}")


if __name__ == "__main__":
    guard(main)
