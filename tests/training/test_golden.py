"""The losses of 20 steps of each model, as this code gave them once.

They guard refactorings, which must not move them, and prove nothing: these are our own numbers. A change that is meant
to move them replaces the table and says so; `python -m tests.training.test_golden` prints it anew.
"""

import tempfile
from pathlib import Path

import pytest

from tests.training.builders import fit, model, records, trainer

STEPS = [1, 2, 5, 10, 15, 20]

LOSSES: dict[str, list[float]] = {
    "deepfm": [0.75438046, 0.67403328, 0.69974273, 0.64533889, 0.65612406, 0.62934184],
    "fm": [0.69310462, 0.6898762, 0.68084496, 0.6368922, 0.6446436, 0.59919322],
    "fnn": [0.69364893, 0.69551969, 0.67627716, 0.63696545, 0.637604, 0.5909524],
    "nfm": [0.7639702, 0.82577199, 0.81014359, 0.64451885, 0.68329161, 0.61623377],
}


def losses(name: str, out: Path) -> list[float]:
    """The loss at each of STEPS."""
    fit(trainer(max_steps=20), model(name), out)
    found = {record["step"]: record["train/loss"] for record in records(out) if "train/loss" in record}
    return [found[step] for step in STEPS]


@pytest.mark.parametrize("name", LOSSES)
def test_the_losses_of_twenty_steps_are_those_of_the_table(tmp_path, name):
    assert losses(name, tmp_path) == pytest.approx(LOSSES[name], rel=1e-5)


if __name__ == "__main__":
    for name in LOSSES:
        with tempfile.TemporaryDirectory() as folder:
            print(f'    "{name}": {[float(f"{loss:.8g}") for loss in losses(name, Path(folder))]},')
