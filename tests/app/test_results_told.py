"""What the README tells of results is what the files beside the tables have."""

import re

import pandas as pd

from ctr.app.reproduce import reading
from tests.conftest import ROOT

LINE = re.compile(r"^\| .* \| `(experiment=[^`]*)` \| (\S+ ± \S+) \| (\S+ ± \S+) \|", re.M)


def runs_of(said):
    """The runs of all rows that say no more than this experiment and these overrides."""
    for name in reading.names():
        for row in reading.read(name).rows:
            if not row.baseline and sorted(row.overrides) == sorted(said.split()):
                made = pd.read_csv(ROOT / "docs/results" / f"{name}.csv")
                return made[made["row"] == row.name]
    raise AssertionError(f"no table has {said}")


def told(values, digits):
    return f"{values.mean():.{digits}f} ± {values.std():.{digits}f}".replace("0.", ".")


def test_the_scores_of_the_readme_are_those_of_the_tables():
    lines = LINE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(lines) == 6
    for said, auc, log_loss in lines:
        made = runs_of(said)
        assert (auc, log_loss) == (told(made["test auc"], 5), told(made["test log_loss"], 4)), said
