"""Training throughput of several libraries, measured in turns, on the same arrays.

    python benchmarks/peers/data.py /tmp/c1m criteo_like
    python benchmarks/throughput.py ours=python fuxictr=ENV/bin/python torchrec=ENV/bin/python --data /tmp/c1m \\
        --model deepfm --embedding-dim 16 --baseline fuxictr --out /tmp/c1m-deepfm

A contender is NAME=PYTHON, or NAME=PYTHON:SCRIPT where the script in benchmarks/peers is not called NAME. Each is a
process of its own, in its own environment, training in its library's own loop (benchmarks/peers/pace.py). Only one runs
at a time, the others sleep; the order is reversed every round. A turn that other processes of the machine disturbed is
taken again, three times at most; if it stays disturbed, it has its line in OUT.csv, but does not count in the table,
OUT.md.

Settings come from JSON files (`--settings A B ...`, one table each) or from flags, which override the files;
`--with NAME:KEY=JSON` overrides a setting for one contender:

    ... torchrec-fused=ENV/bin/python:torchrec --with torchrec-fused:fused=true
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contender import Contender, Died

PEERS = Path(__file__).parent / "peers"
DEFAULTS: dict[str, Any] = {
    "model": "deepfm",
    "embedding_dim": 16,
    "hidden_dims": [400, 400, 400],
    "dropout": 0.0,
    "batch_norm": False,
    "l2": 0.0,
    "lr": 0.001,
    "batch_size": 4096,
    "epochs": 100,
    "threads": 2,
    "seed": 1,
    "steps": 20,
    "device": "cpu",
}


def race(contenders: list[Contender], data: Path, settings: dict[str, Any], chosen: argparse.Namespace) -> None:
    """Fills the contenders' turns; the number of a turn is its round."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            for contender in contenders:
                own = settings | {key: value for name, key, value in chosen.extra if name == contender.name}
                try:
                    contender.start(data, own, Path(folder), chosen.timeout)
                    print(f"{contender.name} {contender.version} is ready", flush=True)
                except Died as problem:
                    contender.fail(problem)
            for round_ in range(chosen.rounds):
                for contender in contenders[:: -1 if round_ % 2 else 1]:
                    if not contender.failure:
                        try:
                            take_turn(contender, round_, settings, chosen)
                        except Died as problem:
                            contender.fail(problem)
        finally:
            for contender in contenders:
                contender.end()


def take_turn(contender: Contender, round_: int, settings: dict[str, Any], chosen: argparse.Namespace) -> None:
    tries = [contender.turn(chosen.timeout)]
    while tries[-1]["others"] > chosen.others and len(tries) < 4:
        tries.append(contender.turn(chosen.timeout))
    best = min(tries, key=lambda said: said["others"])
    speed = best["steps"] * settings["batch_size"] / best["seconds"]
    quiet = best["others"] <= chosen.others
    contender.turns.append({"round": round_, "examples_per_second": speed, "others": best["others"], "quiet": quiet})
    print(f"round {round_}: {contender.name} {speed:,.0f}/s, others {best['others']:.2f} CPU", flush=True)


def spread(values: list[float], form: str) -> str:
    if not values:
        return ""
    return f"{statistics.median(values):{form}} ({min(values):{form}}-{max(values):{form}})"


def table(contenders: list[Contender], baseline: Contender, data: Path, settings: dict[str, Any]) -> str:
    meta = json.loads((data / "meta.json").read_text())
    said = json.dumps({key: value for key, value in settings.items() if key not in ("epochs", "seed")})
    lines = [f"{data.name}: {meta['train']:,} rows of training, {sum(meta['cardinalities']):,} ids. `{said}`", ""]
    lines += [f"| | version | examples/s, median (range) | times {baseline.name} | peak MiB | undisturbed |"]
    lines += ["|---|---|---|---|---|---|"]
    for contender in contenders:
        peak = f"{contender.facts.get('peak_mib', 0):,}"
        quiet = f"{sum(turn['quiet'] for turn in contender.turns)} of {len(contender.turns)}"
        speed, ratio = spread(list(contender.counted.values()), ",.0f"), spread(contender.ratios(baseline), ".2f")
        cells = [contender.name, contender.version, speed, ratio, peak, quiet]
        lines.append("| " + " | ".join(cells if contender.turns else [*cells[:2], "died", "", "", ""]) + " |")
    for contender in contenders:
        if contender.failure:
            lines += ["", f"{contender.name} died:", "", *("    " + line for line in contender.failure.splitlines())]
    return "\n".join(lines) + "\n"


def rows(contenders: list[Contender], data: Path, settings: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Lines of the CSV."""
    case = {key: settings[key] for key in ("model", "embedding_dim", "batch_size", "threads", "steps", "device")}
    for contender in contenders:
        peak = contender.facts.get("peak_mib", "")
        own = {"contender": contender.name, "version": contender.version, "peak_mib": peak}
        for turn in contender.turns:
            yield {"data": data.name, **case, **own, **turn}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contenders", nargs="+", metavar="NAME=PYTHON[:SCRIPT]")
    parser.add_argument("--data", type=Path, required=True, nargs="+", help="one table each")
    parser.add_argument("--settings", type=Path, nargs="*", default=[])
    for key, value in DEFAULTS.items():
        kind = {"nargs": "+", "type": int} if isinstance(value, list) else {"type": type(value)}
        if isinstance(value, bool):
            kind = {"action": argparse.BooleanOptionalAction}
        parser.add_argument(f"--{key.replace('_', '-')}", **kind)
    parser.add_argument("--with", dest="extra", action="append", default=[], metavar="NAME:KEY=JSON")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--baseline", help="a contender's name; the first if absent")
    parser.add_argument("--alone", action="store_true", help="one contender in memory at a time, one after the other")
    parser.add_argument("--others", type=float, default=0.15, help="CPUs that others may use in a turn")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for a start or a turn")
    parser.add_argument("--out", type=Path, help="without suffix")
    chosen = parser.parse_args()
    pairs = [text.partition(":")[::2] for text in chosen.extra]
    chosen.extra = [(name, *rest.partition("=")[::2]) for name, rest in pairs]
    chosen.extra = [(name, key, json.loads(value)) for name, key, value in chosen.extra]
    return chosen


def entries(chosen: argparse.Namespace) -> list[Contender]:
    made = []
    for text in chosen.contenders:
        name, _, rest = text.partition("=")
        python, _, script = rest.partition(":")
        made.append(Contender(name, python, PEERS / f"{script or name}.py"))
    return made


def main() -> None:
    chosen = arguments()
    flags = {key: getattr(chosen, key) for key in DEFAULTS if getattr(chosen, key) is not None}
    texts: list[str] = []
    lines: list[dict[str, Any]] = []
    for data in chosen.data:
        for path in chosen.settings or [None]:
            settings = DEFAULTS | (json.loads(path.read_text()) if path else {}) | flags
            contenders = entries(chosen)
            baseline = {contender.name: contender for contender in contenders}[chosen.baseline or contenders[0].name]
            for group in [[contender] for contender in contenders] if chosen.alone else [contenders]:
                race(group, data, settings, chosen)
            texts.append(table(contenders, baseline, data, settings))
            lines += rows(contenders, data, settings)
            print("\n" + texts[-1], flush=True)
            if chosen.out:
                chosen.out.with_suffix(".md").write_text("\n".join(texts))
                with chosen.out.with_suffix(".csv").open("w", newline="") as file:
                    writer = csv.DictWriter(file, list(lines[0]) if lines else ["data"])
                    writer.writeheader()
                    writer.writerows(lines)


if __name__ == "__main__":
    main()
