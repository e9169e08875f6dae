"""A stopped run, started again in its folder with a new model, is bit for bit the run that was never stopped."""

import errno
import os
import re
import shutil
import signal
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ctr import disk, errors, native
from ctr.batch import Batch
from ctr.training import Constant, Cosine, LazyAdam, Plateau, checkpoint, dense
from ctr.training.progress import Progress
from tests.training import builders
from tests.training.builders import (
    MODELS,
    Changed,
    Stopped,
    differing,
    fit,
    model,
    records,
    state,
    stopping_after,
    trainer,
)

CLOCK = "train/examples_per_second"
SCHEDULES = {
    "constant": Constant(),
    "plateau": Plateau(factor=0.5, patience=1, min_scale=0.01),
    "cosine": Cosine(warmup_steps=5, min_scale=0.1),
}
OPTIMIZERS = {"adam": {}, "adagrad": {}, "sgd": {"momentum": 0.9}}
# 8 steps an epoch, a checkpoint every 3 steps and at each evaluation
MIDDLE, EPOCH_END, FIRST_STEP = 13, 16, 1
# a rate so large that the evaluations before step 20 have stalled, which Plateau has to remember
STALLING, LATE = {"eval_every": 2, "groups": builders.groups(lr=0.1)}, 20


@pytest.fixture(autouse=True)
def _without_waiting_for_the_disk(monkeypatch):
    """A flush guards against a loss of power, which no test here has, and takes most of a tiny run's time."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def run(out: Path, name: str = "nfm", stop: int | None = None, **settings):
    """One start of a run of three epochs, as a new process would make it. Returns the model; None if it was stopped."""
    net = model(name)
    if stop is None:
        fit(trainer(save_every=3, log_every=2, **settings), net, out)
        return net
    with pytest.raises(Stopped):
        fit(trainer(save_every=3, log_every=2, **settings), net, out, stopping_after(stop))
    return None


def differences(tmp_path: Path, stop: int, name: str = "nfm", **settings) -> list[str]:
    """What a stop after this step, and a second start, change in the end."""
    straight = run(tmp_path / "straight", name, **settings)
    run(tmp_path / "again", name, stop, **settings)
    again = run(tmp_path / "again", name, **settings)
    one, other = tmp_path / "straight", tmp_path / "again"
    found = differing(state(one), state(other)) + differing(straight.state_dict(), again.state_dict())
    return found + (["metrics.jsonl"] if records(one, CLOCK) != records(other, CLOCK) else [])


@pytest.mark.parametrize("stop", [MIDDLE, EPOCH_END, FIRST_STEP], ids=["middle", "epoch end", "first step"])
@pytest.mark.parametrize("name", MODELS)
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, name, stop):
    assert differences(tmp_path, stop, name) == []


@pytest.mark.parametrize("order", ["file", "shuffled", "blocks"])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_it_does_so_with_every_schedule_and_order(tmp_path, schedule, order):
    settings = {"schedule": SCHEDULES[schedule], "order": order, **STALLING}
    assert differences(tmp_path, LATE, "nfm", **settings) == []


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_it_does_so_with_every_optimizer_with_l2_and_in_bf16(tmp_path, optimizer):
    made = builders.optimizer(optimizer)
    made.keywords.update(OPTIMIZERS[optimizer])
    settings = {"optimizer": made, "groups": builders.groups(l2=0.01), "precision": "bf16"}
    assert differences(tmp_path, MIDDLE, "deepfm", **settings) == []


@pytest.mark.parametrize("kernels", ["plain", "native"])
@pytest.mark.parametrize("l2", [0.0, 0.01])
def test_it_does_so_with_tables_trained_by_their_rows(tmp_path, kernels, l2):
    if kernels == "native" and (said := native.use("auto")) != "native kernels":
        pytest.skip(said)
    lazy = LazyAdam(lr=0.02, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, catch_up=True, dense_up_to=0)
    settings = {"optimizer": lazy, "groups": builders.groups(l2=l2)}
    assert differences(tmp_path, MIDDLE, "nfm", **settings) == []


def test_it_does_so_wherever_it_is_stopped(tmp_path):
    straight = run(tmp_path / "straight")
    for stop in range(2, 24):
        again = tmp_path / str(stop)
        run(again, stop=stop)
        assert differing(straight.state_dict(), run(again).state_dict()) == [], f"stopped after step {stop}"
        assert differing(state(tmp_path / "straight"), state(again)) == [], f"stopped after step {stop}"


def test_it_does_so_when_stopped_again_and_again(tmp_path):
    straight = run(tmp_path / "straight")
    for stop in (2, 4, 11, 11, 20):
        run(tmp_path / "again", stop=stop)
    again = run(tmp_path / "again")
    assert differing(straight.state_dict(), again.state_dict()) == []
    assert differing(state(tmp_path / "straight"), state(tmp_path / "again")) == []
    assert records(tmp_path / "straight", CLOCK) == records(tmp_path / "again", CLOCK)


def test_sigterm_saves_the_step_that_it_came_in_and_the_run_goes_on_from_there(tmp_path):
    def terminate(batch: Batch, step: int) -> Batch:
        if step == MIDDLE + 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return batch

    straight, handler = run(tmp_path / "straight"), signal.getsignal(signal.SIGTERM)
    with pytest.raises(errors.Stopped, match="stopped at step 14,"):
        fit(trainer(save_every=3, log_every=2), model("nfm"), tmp_path / "again", Changed(terminate))
    assert max(checkpoint.steps(tmp_path / "again/checkpoints")) == 14
    assert signal.getsignal(signal.SIGTERM) is handler
    assert differing(straight.state_dict(), run(tmp_path / "again").state_dict()) == []
    assert differing(state(tmp_path / "straight"), state(tmp_path / "again")) == []
    assert records(tmp_path / "straight", CLOCK) == records(tmp_path / "again", CLOCK)


class AskedAt:
    """A stop that is asked for just before the loop looks for the `number`-th time whether it was."""

    def __init__(self, number: int):
        self.left = number

    @property
    def asked(self) -> bool:
        self.left -= 1
        return self.left <= 0


@pytest.mark.parametrize("number", range(1, 9))
def test_a_stop_at_whatever_moment_is_saved_before_it_is_said_to_be(tmp_path, monkeypatch, number):
    monkeypatch.setattr("ctr.training.trainer.on_sigterm", lambda: nullcontext(AskedAt(number)))
    with pytest.raises(errors.Stopped) as stopped:
        fit(trainer(), model("fm"), tmp_path)
    said = int(re.search(r"stopped at step (\d+), which is saved", str(stopped.value))[1])
    assert checkpoint.steps(tmp_path / "checkpoints") == [said]


def test_it_does_so_when_the_newest_checkpoint_is_damaged(tmp_path, capsys):
    straight = run(tmp_path / "straight")
    run(tmp_path / "again", stop=MIDDLE)
    newest = checkpoint.step_folder(tmp_path / "again/checkpoints", 12)
    (newest / "model.safetensors").write_bytes(b"")
    again = run(tmp_path / "again")
    assert "model.safetensors" in capsys.readouterr().err
    assert differing(straight.state_dict(), again.state_dict()) == []
    assert records(tmp_path / "straight", CLOCK) == records(tmp_path / "again", CLOCK)


def test_it_does_so_after_a_start_at_which_its_checkpoints_could_not_be_read(tmp_path, monkeypatch):
    straight = run(tmp_path / "straight")
    run(tmp_path / "again", stop=MIDDLE)
    before = files(tmp_path / "again")

    def fail(path: Path) -> str:
        raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(disk, "sha256", fail)
        with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
            run(tmp_path / "again")
    assert files(tmp_path / "again") == before
    assert differing(straight.state_dict(), run(tmp_path / "again").state_dict()) == []
    assert records(tmp_path / "straight", CLOCK) == records(tmp_path / "again", CLOCK)


def test_with_all_checkpoints_damaged_nothing_is_begun_or_removed(tmp_path):
    run(tmp_path, stop=MIDDLE)
    for path in (tmp_path / "checkpoints").glob("step-*/model.safetensors"):
        path.write_bytes(b"")
    before = files(tmp_path)
    with pytest.raises(errors.UserError, match=r"no checkpoint in .* is whole"):
        run(tmp_path)
    assert files(tmp_path) == before


def test_best_weights_that_are_lost_are_trained_again_once_the_folder_is_deleted(tmp_path):
    settings = {"groups": builders.groups(lr=0.3), "max_epochs": 6}
    first = model("deepfm")
    done = fit(trainer(**settings), first, tmp_path)
    assert done.best_step < done.step
    folder = tmp_path / "checkpoints"
    (checkpoint.step_folder(folder, done.best_step) / "model.safetensors").write_bytes(b"")
    with pytest.raises(errors.UserError, match=f"best weights, those of step {done.best_step}, .* delete {folder}"):
        fit(trainer(**settings), model("deepfm"), tmp_path)
    shutil.rmtree(folder)
    again = model("deepfm")
    assert fit(trainer(**settings), again, tmp_path).best == done.best
    assert differing(first.state_dict(), again.state_dict()) == []


def test_a_resumed_run_leaves_the_checkpoint_it_began_from_unharmed(tmp_path):
    run(tmp_path, stop=MIDDLE)
    shutil.copytree(tmp_path / "checkpoints", tmp_path / "before")
    run(tmp_path, stop=MIDDLE + 1)
    step = max(checkpoint.steps(tmp_path / "before"))
    for file in checkpoint.step_folder(tmp_path / "before", step).iterdir():
        assert (checkpoint.step_folder(tmp_path / "checkpoints", step) / file.name).read_bytes() == file.read_bytes()


def test_the_examples_are_counted_on_and_the_time_adds_up(tmp_path):
    run(tmp_path, stop=MIDDLE)
    before = checkpoint.load_newest(tmp_path / "checkpoints").meta["progress"]
    progress = fit(trainer(save_every=3, log_every=2), model("nfm"), tmp_path)
    assert progress.examples == 3 * 240
    assert progress.seconds > before["seconds"] > 0


# The same without one part of the state: each has to be missed, or the tests above prove nothing.


def without_random_state(monkeypatch):
    monkeypatch.setattr(torch, "set_rng_state", lambda state: None)


def without_optimizer_state(monkeypatch):
    monkeypatch.setattr(dense.OPTIMIZERS["Adam"], "load_state_dict", lambda self, state: None)


def without_position(monkeypatch):
    def from_start_of_epoch(data):
        return whole({**data, "batch": 0})

    whole = Progress.from_json
    monkeypatch.setattr(Progress, "from_json", from_start_of_epoch)


def without_history(monkeypatch):
    def without_improvements(data):
        return whole({**data, "improvements": []})

    whole = Progress.from_json
    monkeypatch.setattr(Progress, "from_json", without_improvements)


def without_weights(monkeypatch):
    """As if a run went on from a new model; the best weights are still read at its end."""
    load, calls = torch.nn.Module.load_state_dict, []

    def later(module, *arguments):
        calls.append(1)
        return None if len(calls) == 1 else load(module, *arguments)

    monkeypatch.setattr(torch.nn.Module, "load_state_dict", later)


MUTATIONS = [without_random_state, without_optimizer_state, without_position, without_history, without_weights]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_resume_without_one_part_of_the_state_is_another_run(tmp_path, monkeypatch, mutation):
    settings = {"schedule": SCHEDULES["plateau"], **STALLING}
    run(tmp_path / "straight", **settings)
    run(tmp_path / "again", stop=LATE, **settings)
    mutation(monkeypatch)
    run(tmp_path / "again", **settings)
    monkeypatch.undo()
    changed = differing(state(tmp_path / "straight"), state(tmp_path / "again"))
    assert [name for name in changed if name.startswith("model.")]


def files(out: Path) -> dict[str, bytes]:
    """What a run has written, less TensorBoard's events."""
    found = [path for path in sorted(out.rglob("*")) if path.is_file() and "tfevents" not in path.name]
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


@pytest.mark.parametrize("settings", [{}, {"patience": 1, "max_epochs": 20}], ids=["all epochs", "out of patience"])
def test_running_a_finished_run_again_changes_nothing_and_gives_the_same_scores(tmp_path, settings):
    first, second = model("nfm"), model("nfm", seed=99)
    done = fit(trainer(**settings), first, tmp_path)
    before = files(tmp_path)
    again = fit(trainer(**settings), second, tmp_path)
    assert files(tmp_path) == before
    assert (again.best, again.best_step, again.step) == (done.best, done.best_step, done.step)
    assert differing(first.state_dict(), second.state_dict()) == []


def test_the_same_run_twice_is_bit_for_bit_the_same_and_another_seed_is_not(tmp_path):
    one, two, other = run(tmp_path / "1"), run(tmp_path / "2"), run(tmp_path / "3", seed=4)
    assert differing(one.state_dict(), two.state_dict()) == []
    assert differing(one.state_dict(), other.state_dict())


@pytest.mark.parametrize("stop", [MIDDLE, 2], ids=["with a checkpoint", "before the first checkpoint"])
@pytest.mark.parametrize("batch_size", [32, 1])
def test_tensorboard_shows_each_step_of_a_resumed_run_once(tmp_path, stop, batch_size):
    """By steps and by examples, which it takes back by the same number; with batches of 1 they are the same."""
    settings = {"batch_size": batch_size, "max_steps": 24}
    run(tmp_path, "fm", stop, **settings)
    time.sleep(1.1)  # TensorBoard orders the files of several starts by the second in their names
    run(tmp_path, "fm", **settings)
    time.sleep(1.1)
    run(tmp_path, "fm", **settings)  # it is finished
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    for tag, name, place in (
        ("train/loss", "train/loss", "step"),
        ("by_examples/train_loss", "train/loss", "examples"),
        ("by_examples/valid_auc", "valid/auc", "examples"),
    ):
        shown = [(event.step, event.value) for event in events.Scalars(tag)]
        expected = [(r[place], r[name]) for r in records(tmp_path) if name in r]
        assert [step for step, _ in shown] == [step for step, _ in expected]
        assert [value for _, value in shown] == pytest.approx([value for _, value in expected], rel=1e-6)


@pytest.mark.parametrize("fraction", [0.25, 0.2], ids=["divides the epoch", "does not"])
def test_a_run_evaluated_within_its_epochs_goes_on_bit_for_bit(tmp_path, fraction):
    settings = {"schedule": SCHEDULES["plateau"], "groups": builders.groups(lr=0.1), "eval_every": fraction}
    assert differences(tmp_path, MIDDLE, "nfm", **settings) == []
