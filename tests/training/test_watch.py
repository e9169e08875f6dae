"""Losses that are read now and then: each is counted, and none that is not finite gets by."""

import math
from dataclasses import replace

import pytest
import torch

from ctr.errors import UserError
from ctr.training import checkpoint
from ctr.training import trainer as loop
from ctr.training.progress import Progress
from ctr.training.watch import Watch
from tests.training import builders
from tests.training.builders import Changed, fit, model, records, trainer


def watched(every: int, losses: list[float], norms: list[float] | None = None) -> tuple[Watch, Progress]:
    """After steps with these losses, as the trainer's loop makes them."""
    watch, progress = Watch(every), Progress()
    for loss, norm in zip(losses, norms or [1.0] * len(losses), strict=True):
        watch.see(torch.tensor(loss), torch.tensor(norm), progress)
        progress.advance(32, batches_per_epoch=4)
    return watch, progress


def test_it_reads_at_the_nth_step_and_when_asked():
    losses, norms = [1.0, 2.0, 4.0, 8.0, 16.0], [0.5, 1.5, 2.5, 3.5, 4.5]
    for number, (total, last) in enumerate([(0, math.nan), (0, math.nan), (7, 2.5), (7, 2.5), (7, 2.5)], start=1):
        watch, progress = watched(3, losses[:number], norms[:number])
        assert progress.losses == (total, 3 * (total > 0))
        assert watch.last_norm == pytest.approx(last, nan_ok=True)
    for _ in range(2):  # the second time there is nothing to read
        watch.read(progress)
        assert progress.losses == (31.0, 5)
        assert watch.last_norm == 4.5


def test_after_reading_on_demand_the_next_n_steps_are_read_together():
    watch, progress = watched(3, [1.0, 2.0])
    watch.read(progress)
    for expected in (2, 2, 5):
        watch.see(torch.tensor(1.0), torch.tensor(1.0), progress)
        progress.advance(32, 4)
        assert progress.losses[1] == expected


@pytest.mark.parametrize("every", [1, 2, 3, 4, 99])
@pytest.mark.parametrize(("of", "bad"), [("loss", math.nan), ("loss", -math.inf), ("norm", math.inf)])
@pytest.mark.parametrize("at", range(1, 8))
def test_what_is_not_finite_is_found_with_its_step(every, bad, of, at):
    values = {"loss": [0.5] * 7, "norm": [1.5] * 7}
    values[of][at - 1] = bad
    fate = "not updated" if every == 1 else "since then are lost"
    loss, norm = ({"loss": 0.5, "norm": 1.5, of: bad}[name] for name in ("loss", "norm"))
    with pytest.raises(UserError, match=rf"^step {at} .*the loss is {loss:g} and .* norm {norm:g}; .*{fate}"):
        read_in_the_end(*watched(every, values["loss"], values["norm"]))


def read_in_the_end(watch: Watch, progress: Progress) -> None:
    watch.read(progress)


def test_the_first_of_several_is_named():
    with pytest.raises(UserError, match=r"^step 2 "):
        watched(4, [0.5, math.nan, math.inf, math.nan])


def broken_at(step: int) -> Changed:
    return Changed(lambda batch, number: replace(batch, labels=batch.labels * math.nan) if number == step else batch)


@pytest.mark.parametrize("every", [3, 7, 1000])
def test_losses_in_the_log_and_in_checkpoints_are_the_same_whatever_it_reads_at_once(tmp_path, monkeypatch, every):
    saved, save = {1: [], every: []}, checkpoint.save
    for n, seen in saved.items():
        monkeypatch.setattr(loop, "Watch", lambda _, n=n: Watch(n))

        def keep(folder, step, taken, seen=seen):
            seen.append(taken.meta["progress"]["losses"])
            save(folder, step, taken)

        monkeypatch.setattr(checkpoint, "save", keep)
        fit(trainer(log_every=4, save_every=5, max_steps=21), model("nfm"), tmp_path / str(n))
    one, other = (records(tmp_path / str(n), "train/examples_per_second") for n in saved)
    assert one == other
    assert saved[1] == saved[every]
    assert [count for _, count in saved[1]] == [1, 0, 2, 3, 0, 0, 0]  # at 5, 8, 10, 15, 16, 20 and 21


@pytest.mark.parametrize("every", [1, 4, 1000])
@pytest.mark.parametrize(("at", "saved"), [(6, "none yet"), (7, "step 6"), (9, "step 8"), (13, "step 12")])
def test_a_training_stops_at_the_right_step_and_saves_nothing_behind_it(tmp_path, monkeypatch, every, at, saved):
    """Checkpoints come every 6 steps, and at 8 and 16 with the evaluations."""
    monkeypatch.setattr(loop, "Watch", lambda _: Watch(every))  # as it reads on a GPU
    with pytest.raises(UserError, match=rf"^step {at} .*Last good checkpoint: {saved}\."):
        fit(trainer(save_every=6, log_every=1000), model("fm"), tmp_path, broken_at(at))
    stored = checkpoint.load_newest(tmp_path / "checkpoints")
    assert (f"step {stored.meta['progress']['step']}" if stored else "none yet") == saved


def test_on_a_cpu_it_reads_each_step_before_the_update(tmp_path):
    net = model("fm")
    before = builders.weights(net)
    with pytest.raises(UserError, match=r"^step 1 .*the weights were not updated"):
        fit(trainer(log_every=50), net, tmp_path, broken_at(1))
    assert builders.differing(before, builders.weights(net)) == []
