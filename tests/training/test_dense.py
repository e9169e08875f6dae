"""Torch's optimizers, out of their wrappers: the same steps, and torch.compile's front end stays where it is."""

import subprocess
import sys

import pytest
import torch

from ctr.training.dense import OPTIMIZERS
from tests.app.compose import TINY
from tests.conftest import ROOT


def steps(kind, settings, count, state=None):
    """Weights after each step on gradients that the weights decide, and the last state."""
    random = torch.Generator().manual_seed(3)
    weights = [torch.nn.Parameter(torch.randn(4, 3, generator=random)) for _ in range(2)]
    optimizer = kind([{"params": weights[:1], "lr": 0.03}, {"params": weights[1:]}], lr=0.1, **settings)
    if state is not None:
        optimizer.load_state_dict(state)
    found = []
    for number in range(count):
        optimizer.zero_grad()
        sum((w.sin() * (number + 1)).sum() for w in weights).backward()
        optimizer.step()
        found.append([w.detach().clone() for w in weights])
    return found, optimizer.state_dict()


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("settings", [{}, {"weight_decay": 0.1}], ids=["plain", "decay"])
def test_steps_and_states_are_those_of_torch_bit_for_bit(name, settings):
    torchs = getattr(torch.optim, name)
    expected, state = steps(torchs, settings, 4)
    found, mine = steps(OPTIMIZERS[name], settings, 4)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(mine, state, rtol=0, atol=0)
    torch.testing.assert_close(
        steps(OPTIMIZERS[name], settings, 2, mine), steps(torchs, settings, 2, state), rtol=0, atol=0
    )


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_torchs_own_class_stays_as_it_is(name):
    kind, torchs = OPTIMIZERS[name], getattr(torch.optim, name)
    before = torchs.step
    steps(kind, {}, 1)
    assert torchs.step is before
    assert issubclass(kind, torchs)
    assert kind.__name__ == name
    assert kind.step is not torchs.step


@pytest.mark.parametrize("optimizer", ["lazy_adam", "ftrl"])
def test_a_run_and_its_sequel_do_not_import_the_compiler(tmp_path, optimizer):
    words = [*TINY, f"optimizer@trainer.optimizer={optimizer}", "schedule@trainer.schedule=constant"]
    for limit in (2, 4):  # the second goes on from the first's checkpoint
        arguments = [*words, f"trainer.max_steps={limit}", f"hydra.run.dir={tmp_path}/run"]
        result = subprocess.run(
            [sys.executable, "-X", "importtime", "train.py", *arguments], cwd=ROOT, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stderr[-2000:]
        imported = {
            line.split("|")[-1].strip() for line in result.stderr.splitlines() if line.startswith("import time:")
        }
        assert "torch.optim" in imported
        assert "torch._dynamo" not in imported
    assert "going on from step 2" in result.stdout
