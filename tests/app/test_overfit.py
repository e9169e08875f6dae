"""The warning of a second epoch that overfits, on made-up histories."""

import pytest

from ctr.app.overfit import ADVICE, overfits
from ctr.metrics import METRICS
from tests.app.compose import tiny_run

EPOCH = 10  # steps


def history(losses, scores, metric="auc", times=1):
    """One train loss a part of an epoch, `times` parts an epoch, and the valid score after each."""
    steps = [(i + 1) * EPOCH // times for i in range(len(losses))]
    train = [{"step": step, "examples": 9, "train/loss": loss} for step, loss in zip(steps, losses, strict=True)]
    valid = [{"step": step, "examples": 9, f"valid/{metric}": score} for step, score in zip(steps, scores, strict=True)]
    return [record for pair in zip(train, valid, strict=True) for record in pair]


def warned(losses, scores, metric="auc", times=1):
    return overfits(history(losses, scores, metric, times), METRICS[metric], EPOCH)


@pytest.mark.parametrize(
    ("losses", "scores"),
    [
        ([0.50, 0.45, 0.40], [0.75, 0.74, 0.72]),
        ([0.50, 0.45], [0.75, 0.74]),
        ([0.50, 0.45, 0.40], [0.75, 0.72, 0.74]),  # it came back, but not to where it was
    ],
    ids=str,
)
def test_it_warns_where_the_first_epoch_was_best_and_the_loss_fell_on(losses, scores):
    said = warned(losses, scores)
    assert f"best in the first epoch (step 10: 0.75000) and ended at {scores[-1]:.5f}" in said
    assert said.endswith(ADVICE)


@pytest.mark.parametrize(
    ("losses", "scores"),
    [
        ([0.50, 0.45, 0.40], [0.74, 0.75, 0.72]),  # the second was best
        ([0.50, 0.45, 0.40], [0.75, 0.76, 0.77]),
        ([0.53, 0.50, 0.50], [0.75, 0.74, 0.73]),  # the loss falls no more: whatever it is, it is no overfitting
        ([0.53, 0.50, 0.498], [0.75, 0.74, 0.73]),  # nor by so little
        ([0.50, 0.55, 0.60], [0.75, 0.74, 0.72]),  # it diverges
        ([0.50, 0.45, 0.40], [0.75, 0.7499, 0.7498]),  # noise
        ([0.50, 0.45], [0.75, 0.75]),  # a tie
        ([0.50], [0.75]),  # one epoch
        ([], []),
    ],
    ids=str,
)
def test_it_is_silent_where_one_of_that_is_missing(losses, scores):
    assert warned(losses, scores) is None


def test_a_lower_log_loss_is_the_better_one():
    assert "valid log_loss was best" in warned([0.50, 0.45], [0.40, 0.44], "log_loss")
    assert warned([0.50, 0.45], [0.44, 0.40], "log_loss") is None


def test_the_best_may_lie_within_the_first_epoch():
    losses, scores = [0.60, 0.50, 0.45, 0.43], [0.76, 0.75, 0.74, 0.72]
    assert "(step 5: 0.76000)" in warned(losses, scores, times=2)
    assert warned([0.60, 0.50, 0.45, 0.43], [0.74, 0.75, 0.76, 0.72], times=2) is None


def test_within_one_epoch_it_never_warns():
    assert warned([0.60, 0.50], [0.76, 0.70], times=2) is None


def test_the_descent_of_the_first_half_of_an_epoch_is_no_fall_of_its_own():
    assert warned([0.69, 0.50, 0.499, 0.498], [0.74, 0.75, 0.74, 0.73], times=2) is None


def test_records_of_many_steps_that_begin_before_an_epoch_and_end_within_it_are_taken_as_they_come():
    losses = {7: 0.6, 14: 0.5, 21: 0.4, 28: 0.3, 30: 0.3}
    train = [{"step": step, "train/loss": loss} for step, loss in losses.items()]
    valid = [{"step": step, "valid/auc": score} for step, score in [(10, 0.75), (20, 0.73), (30, 0.70)]]
    assert overfits([*train, *valid], METRICS["auc"], EPOCH)


def test_a_run_that_overfits_says_so_once_and_a_single_pass_does_not(tmp_path):
    from ctr.app import run_folder

    rare = ["dataset.vocabulary=2000", "dataset.zipf=0.1", "trainer.optimizer.lr=0.05", "trainer.patience=null"]
    tiny_run(tmp_path / "long", "model=fm", *rare, "trainer.max_steps=40", "trainer.batch_size=200", "monitor=log_loss")
    (said,) = run_folder.read_scores(tmp_path / "long")["warnings"]
    assert "trainer=one_pass" in said
    tiny_run(tmp_path / "once", "model=fm", *rare, "trainer.max_epochs=1", "trainer.eval_every=0.25")
    assert run_folder.read_scores(tmp_path / "once")["warnings"] == []
