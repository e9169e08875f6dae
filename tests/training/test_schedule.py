"""The learning rate's factor after worked histories of evaluations, and over a whole training."""

import math

import pytest
import torch

from ctr.errors import UserError
from ctr.training import Constant, Cosine, Plateau
from ctr.training.progress import Progress

BETTER, STALLED = True, False


def after(schedule: Plateau, *evaluations: bool) -> float:
    return schedule.scale(Progress(improvements=list(evaluations)), total_steps=100)


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [
        ([], 1.0),
        ([BETTER], 1.0),
        ([BETTER, BETTER, BETTER], 1.0),
        ([BETTER, STALLED], 0.1),
        ([BETTER, STALLED, BETTER], 0.1),  # a drop is never taken back
        ([BETTER, STALLED, BETTER, STALLED], 0.01),
        ([BETTER, STALLED, STALLED], 0.01),
        ([BETTER, STALLED, STALLED, BETTER, BETTER, STALLED], 0.001),
        ([BETTER, STALLED, STALLED, STALLED, STALLED], 0.001),  # the floor
    ],
)
def test_plateau_drops_after_each_stalled_evaluation_as_bars_does(evaluations, expected):
    schedule = Plateau(factor=0.1, patience=1, min_scale=1e-3)
    assert after(schedule, *evaluations) == pytest.approx(expected, rel=1e-12)


def test_plateau_is_the_walk_of_bars_on_any_history():
    """FuxiCTR's lr_decay: lr = max(lr * 0.1, 1e-6) at each evaluation that is no improvement."""
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        history, lr = [], 1e-3
        for improved in (torch.rand(12, generator=random) < 0.7).tolist():
            history.append(improved)
            lr = lr if improved else max(lr * 0.1, 1e-6)
            scale = after(Plateau(factor=0.1, patience=1, min_scale=1e-3), *history)
            assert 1e-3 * scale == pytest.approx(lr, rel=1e-9)


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [
        ([BETTER, STALLED], 1.0),
        ([BETTER, STALLED, STALLED], 0.5),
        ([BETTER, STALLED, BETTER, STALLED], 1.0),  # two stalls, but not in a row
        ([BETTER, STALLED, STALLED, STALLED], 0.5),  # the count starts anew after a drop
        ([BETTER, STALLED, STALLED, STALLED, STALLED], 0.25),
    ],
)
def test_plateau_with_patience_2_waits_for_two_stalls_in_a_row(evaluations, expected):
    assert after(Plateau(factor=0.5, patience=2, min_scale=0.0), *evaluations) == expected


def cosine(step: int, warmup_steps: int = 0, min_scale: float = 0.0) -> float:
    return Cosine(warmup_steps=warmup_steps, min_scale=min_scale).scale(Progress(step=step), total_steps=100)


def test_cosine_rises_in_equal_steps_from_above_zero_to_one():
    assert [cosine(step, warmup_steps=4) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]


def test_cosine_starts_at_one_is_halfway_in_the_middle_and_ends_at_its_minimum():
    assert cosine(0) == 1.0
    assert cosine(50) == pytest.approx(0.5)
    assert cosine(25) == pytest.approx(0.5 + math.sqrt(2) / 4)
    assert cosine(100) == pytest.approx(0.0, abs=1e-12)
    assert cosine(50, min_scale=0.2) == pytest.approx(0.6)
    assert cosine(100, min_scale=0.2) == pytest.approx(0.2)
    assert cosine(60, warmup_steps=20) == pytest.approx(0.5)


def test_cosine_stays_at_its_minimum_after_the_end():
    assert cosine(150, min_scale=0.2) == pytest.approx(0.2)


def test_cosine_without_warmup_is_torchs_annealing():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=100, eta_min=0.1)
    for step in range(100):
        assert cosine(step, min_scale=0.1) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-9)
        optimizer.step()
        torchs.step()


def test_constant_leaves_the_rate_as_it_is():
    assert Constant().scale(Progress(step=99, improvements=[STALLED] * 9), total_steps=100) == 1.0


@pytest.mark.parametrize(
    "settings",
    [{"factor": 0.0}, {"factor": 1.0}, {"factor": -0.1}, {"patience": 0}, {"min_scale": -0.1}, {"min_scale": 5.0}],
    ids=str,
)
def test_plateau_refuses_settings_that_make_no_sense(settings):
    with pytest.raises(UserError, match="plateau needs"):
        Plateau(**{"factor": 0.1, "patience": 1, "min_scale": 1e-3} | settings)


@pytest.mark.parametrize("settings", [{"warmup_steps": -1}, {"min_scale": -0.1}, {"min_scale": 1.1}], ids=str)
def test_cosine_refuses_settings_that_make_no_sense(settings):
    with pytest.raises(UserError, match="cosine needs"):
        Cosine(**{"warmup_steps": 0, "min_scale": 0.0} | settings)
