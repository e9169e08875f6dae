"""In which keys two configs differ: of runs, of experiments, of commands."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from ctr.app import results, run_folder
from ctr.app.composed import compose, plain
from ctr.app.guide import notes
from ctr.app.guide.groups import group
from ctr.errors import UserError, nearest


def side(said: str) -> results.Result:
    """The config of a run's folder, of an experiment by its name, or of overrides as train.py takes them."""
    if (Path(said) / run_folder.CONFIG).exists():
        config = run_folder.read_config(Path(said))
        if not isinstance(config, dict) or "seed" not in config:
            raise UserError(f"{Path(said) / run_folder.CONFIG} is not the config of a run: it has no seed")
        return results.Result(Path(said), config, {})
    words = shlex.split(said)
    experiments = group("experiment").choices
    if said in experiments:
        words = [f"experiment={said}"]
    elif not words or not all("=" in word for word in words):
        raise UserError(
            f"{said!r} is neither a run's folder (with a {run_folder.CONFIG}), nor an experiment, nor overrides such "
            f"as 'model=nfm seed=2'{nearest(said, experiments)}"
        )
    return results.Result(Path(said), plain(compose(words), missing=True), {})


def diff(first: str, second: str) -> str:
    """A table of the keys whose values differ, and the seeds apart from it."""
    one, other = side(first), side(second)
    rows = [
        (key, *(_shown(key, side, value) for side, value in zip((one, other), values, strict=True)))
        for key, values in _own(results.differences(one, other)).items()
    ]
    said = [f"A  {first}", f"B  {second}", ""]
    if rows:
        table = [("key", "A", "B"), *rows]
        widths = [max(len(row[i]) for row in table) for i in range(2)]
        said += [f"{key:<{widths[0]}}  {a:<{widths[1]}}  {b}" for key, a, b in table]
    else:
        said.append("no key differs, but perhaps for the seed")
    same = one.seed == other.seed
    said += ["", f"seed  {one.seed} in both" if same else f"seed  {one.seed} in A, {other.seed} in B"]
    return "\n".join(said) + "\n"


def _own(differences: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Keys of one part together, without what the trainer reads of the root, such as trainer.metrics."""
    parts = list(dict.fromkeys(key.split(".")[0] for key in differences))
    own = {key: each for key, each in differences.items() if differences.get(key.removeprefix("trainer."), 0) != each}
    own |= {key: each for key, each in differences.items() if not key.startswith("trainer.")}
    return {key: own[key] for key in sorted(own, key=lambda key: parts.index(key.split(".")[0]))}


def _shown(key: str, side: results.Result, value: Any) -> str:
    if key not in side.flat:
        return "-"
    return notes.one_line(value)
