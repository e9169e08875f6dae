"""The loop: when it evaluates and stops, which weights it keeps, what it writes down and what it refuses."""

import math
import re
from dataclasses import replace
from fractions import Fraction

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from ctr.errors import UserError
from ctr.metrics import Scores
from ctr.training import Cosine, LogLoss, SquaredError, Trainer, checkpoint
from ctr.training.progress import Progress
from ctr.training.trainer import default_batch_size
from tests.training import builders
from tests.training.builders import MODELS, Changed, fit, model, records, trainer, weights


def evaluated_steps(out) -> list[int]:
    return [record["step"] for record in records(out) if any(name.startswith("valid/") for name in record)]


def losses(out) -> list[float]:
    return [record["train/loss"] for record in records(out) if "train/loss" in record]


@pytest.mark.parametrize(
    ("settings", "steps", "epochs", "examples"),
    [
        ({"max_epochs": 2}, 16, 2, 480),
        ({"max_epochs": 9, "max_steps": 11}, 11, 1, 240 + 3 * 32),
        ({"max_epochs": 1, "max_steps": 99}, 8, 1, 240),
        ({"max_epochs": 2, "order": "blocks"}, 14, 2, 14 * 32),
    ],
    ids=str,
)
def test_training_lasts_its_epochs_or_its_steps(tmp_path, settings, steps, epochs, examples):
    progress = fit(trainer(**settings), model("fm"), tmp_path)
    assert (progress.step, progress.epoch, progress.examples) == (steps, epochs, examples)


def test_every_step_is_in_training_mode_though_evaluations_are_not(tmp_path, monkeypatch):
    """Also where the steps go through a wrapper with a mode of its own, as those of torch.compile may."""
    made = model("deepfm")
    modes = []
    made.mlp.register_forward_hook(lambda mlp, _, __: modes.append((torch.is_grad_enabled(), mlp.training)))
    monkeypatch.setattr(Trainer, "_compiled", lambda self, model: nn.ModuleList([model]))
    monkeypatch.setattr(nn.ModuleList, "forward", lambda self, ids, values: self[0](ids, values), raising=False)
    fit(trainer(max_epochs=3), made, tmp_path)
    assert modes.count((True, True)) == 24
    assert set(modes) == {(True, True), (False, False)}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [8, 16, 24]),
        ({"max_steps": 11}, [8, 11]),
        ({"eval_every": 5, "max_steps": 12}, [5, 10, 12]),
        ({"eval_every": 5, "max_steps": 10}, [5, 10]),
        ({"eval_every": 99}, [24]),
        ({"eval_every": 0.25, "max_epochs": 1}, [2, 4, 6, 8]),
        ({"eval_every": 0.25, "max_steps": 11}, [2, 4, 6, 8, 10, 11]),
        ({"eval_every": 1.0}, [8, 16, 24]),
        ({"eval_every": 0.333, "max_epochs": 2}, [3, 6, 8, 11, 14, 16]),  # after 2 2/3 batches is after the third
        ({"eval_every": 0.2, "max_epochs": 1}, [2, 4, 5, 7, 8]),  # 1.6, 3.2, 4.8, 6.4, 8
        ({"eval_every": 0.125, "max_epochs": 1}, [1, 2, 3, 4, 5, 6, 7, 8]),
    ],
    ids=str,
)
def test_evaluation_comes_every_epoch_or_every_n_steps_and_once_at_the_last_step(tmp_path, settings, expected):
    fit(trainer(**settings), model("fm"), tmp_path)
    assert evaluated_steps(tmp_path) == expected


@pytest.mark.parametrize("batches", [1, 7, 49, 50, 64, 1000])
@pytest.mark.parametrize("times", [1, 2, 3, 7, 10])
def test_a_fraction_of_an_epoch_evaluates_after_the_batch_that_completes_each_part(batches, times):
    if times > batches:
        return
    pace = trainer(eval_every=1 / times, max_epochs=10**6).rhythm.over(batches)
    found = [batch for batch in range(1, batches + 1) if pace.evaluates(Progress(batch=batch % batches, step=batch))]
    assert found == [math.ceil(Fraction(part * batches, times)) for part in range(1, times + 1)]


def test_a_fraction_with_more_parts_than_batches_is_refused_before_training(tmp_path):
    with pytest.raises(UserError, match=r"eval_every=0.1 asks for 10 evaluations in an epoch, which has 8 batches"):
        fit(trainer(eval_every=0.1), model("fm"), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


class Script:
    """Stands for Trainer.evaluate: scores from a list, and the weights that each was given for."""

    def __init__(self, monkeypatch, monitor: str, *scores: float):
        self.monitor, self.scores, self.seen = monitor, list(scores), []
        monkeypatch.setattr(Trainer, "evaluate", self.evaluate)

    def evaluate(self, model, data, split) -> Scores:
        self.seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
        return Scores({self.monitor: self.scores[len(self.seen) - 1]})


@pytest.mark.parametrize(
    ("monitor", "scores", "best", "stop"),
    [
        ("auc", [0.6, 0.7, 0.65, 0.64, 0.9], 2, 4),
        ("auc", [0.6, 0.5, 0.7, 0.6, 0.8, 0.7], 5, 6),  # an improvement starts the count anew
        ("auc", [0.7, 0.7, 0.7, 0.9], 1, 3),  # a tie is no improvement
        ("log_loss", [0.6, 0.5, 0.55, 0.4, 0.45, 0.41, 0.3], 4, 6),
    ],
    ids=str,
)
def test_patience_stops_and_the_best_weights_are_left(tmp_path, monkeypatch, monitor, scores, best, stop):
    script = Script(monkeypatch, monitor, *scores)
    net = model("nfm")
    progress = fit(trainer(monitor=monitor, patience=2, max_epochs=6, eval_every=8), net, tmp_path)
    assert (progress.step, progress.best_step) == (8 * stop, 8 * best)
    assert progress.best.values == {monitor: scores[best - 1]}
    expected = script.seen[best - 1]
    assert all(torch.equal(tensor, expected[name]) for name, tensor in net.state_dict().items())


def test_without_patience_training_goes_on_to_its_end(tmp_path, monkeypatch):
    Script(monkeypatch, "auc", 0.9, 0.5, 0.5, 0.5, 0.5)
    progress = fit(trainer(patience=None, max_epochs=5), model("fm"), tmp_path)
    assert (progress.step, progress.best_step) == (40, 8)


def test_the_model_scores_what_the_progress_says_though_a_large_rate_made_it_worse(tmp_path):
    net, big = model("deepfm"), trainer(groups=builders.groups(lr=0.3), max_epochs=6)
    progress = fit(big, net, tmp_path)
    assert progress.best_step < progress.step
    assert big.evaluate(net, builders.data(), "valid") == progress.best


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_falls_on_learnable_data(tmp_path, name):
    rate = builders.data().rows("valid").labels.mean().item()
    entropy = -rate * math.log(rate) - (1 - rate) * math.log(1 - rate)
    progress = fit(trainer(max_epochs=8, monitor="log_loss"), model(name), tmp_path)
    found = losses(tmp_path)
    assert sum(found[-8:]) / 8 < 0.95 * sum(found[:8]) / 8
    assert progress.best.values["log_loss"] < 0.95 * entropy
    assert progress.best.values["auc"] > 0.65


def test_each_step_goes_down_the_clipped_gradient_of_the_loss_plus_l2(tmp_path):
    net, by_hand = model("fm"), model("fm")
    for start in (0, 32, 64):
        rows = builders.data().rows("train").take(slice(start, start + 32))
        loss = LogLoss(reduction="mean").loss(by_hand(rows.ids, rows.values), rows.labels, None)
        by_hand.zero_grad()
        (loss + 2.0 * by_hand.embedding.table.weight.square().sum()).backward()
        nn.utils.clip_grad_norm_(by_hand.parameters(), 0.01)
        for parameter in by_hand.parameters():
            parameter.data -= 3.0 * parameter.grad
    groups = builders.groups(lr=3.0, embedding={"l2": 4.0})
    settings = {"groups": groups, "clip_norm": 0.01, "order": "file", "max_steps": 3, "save_every": 3}
    fit(trainer(optimizer=builders.optimizer("sgd"), **settings), net, tmp_path)
    torch.testing.assert_close(weights(net), weights(by_hand))


def test_every_epoch_has_every_row_once_and_an_order_of_its_own(tmp_path):
    seen = []

    def watch(batch, step):
        seen.append(batch.groups)
        return batch

    numbered = replace(builders.data().rows("train"), groups=torch.arange(240))
    fit(trainer(max_epochs=2), model("fm"), tmp_path, Changed(watch, {"train": numbered}))
    first, second = torch.cat(seen[:8]), torch.cat(seen[8:])
    assert torch.equal(first.sort().values, torch.arange(240))
    assert torch.equal(second.sort().values, torch.arange(240))
    assert not torch.equal(first, second)


def test_the_model_is_in_training_mode_in_every_step_and_in_no_evaluation(tmp_path):
    net, modes = model("fm"), []
    net.register_forward_hook(lambda module, inputs, logits: modes.append((module.training, logits.requires_grad)))
    fit(trainer(max_epochs=2, eval_batch_size=60), net, tmp_path)
    step, evaluation = (True, True), (False, False)
    assert modes == ([step] * 8 + [evaluation] * 2) * 2


def test_a_row_of_weight_zero_does_not_count(tmp_path):
    def weigh(batch, step):
        return replace(batch, weights=(torch.arange(len(batch)) < 5).float())

    def cut(batch, step):
        return batch.take(slice(0, 5))

    for name, change in (("weighed", weigh), ("cut", cut)):
        fit(trainer(max_epochs=1), model("fm"), tmp_path / name, Changed(change))
    assert losses(tmp_path / "weighed") == pytest.approx(losses(tmp_path / "cut"), rel=1e-4)


def test_the_learning_rates_follow_the_schedule(tmp_path):
    schedule = Cosine(warmup_steps=3, min_scale=0.1)
    fit(trainer(schedule=schedule, groups=builders.groups(lr=0.5, linear={"lr": 0.25})), model("fm"), tmp_path)
    trained = [record for record in records(tmp_path) if "train/loss" in record]
    expected = [schedule.scale(Progress(step=step), 24) for step in range(24)]
    assert [record["train/lr_embedding"] for record in trained] == [0.5 * scale for scale in expected]
    assert [record["train/lr_linear"] for record in trained] == [0.25 * scale for scale in expected]


def broken_batch(value: float, at: int):
    """Data with one extreme number in the batch of step `at`."""

    def change(batch, step):
        values = batch.values.clone()
        values[0, 0] = value if step == at else values[0, 0]
        return replace(batch, values=values)

    return Changed(change)


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("name", MODELS)
def test_a_loss_that_is_not_finite_stops_before_the_update(tmp_path, name, value):
    net = model(name)
    with pytest.raises(UserError, match=r"step 7 .*not updated.*Last good checkpoint: step 6"):
        fit(trainer(save_every=2), net, tmp_path, broken_batch(value, at=7))
    stored = checkpoint.load_newest(tmp_path / "checkpoints")
    assert stored.meta["progress"]["step"] == 6
    assert all(torch.equal(tensor, stored.model[n]) for n, tensor in weights(net).items())


def test_a_model_that_returns_nan_before_the_first_checkpoint_is_stopped_too(tmp_path):
    net, calls = model("fm"), []
    before = weights(net)

    def spoil(module, inputs, logits):
        calls.append(1)
        return logits * math.nan

    net.register_forward_hook(spoil)
    with pytest.raises(UserError, match=r"step 1 .*Last good checkpoint: none yet"):
        fit(trainer(), net, tmp_path)
    assert calls == [1]
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(net).items())


def test_a_gradient_that_is_not_finite_stops_though_the_loss_is(tmp_path):
    net = model("fm")
    before = weights(net)
    net.register_forward_hook(lambda module, inputs, logits: logits + (logits * 0).sqrt())  # sqrt'(0) is infinite
    with pytest.raises(UserError, match=r"step 1 .*the loss is 0.69.*the gradient's norm nan"):
        fit(trainer(), net, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(net).items())


def test_scores_of_predictions_that_are_not_finite_are_never_the_best(tmp_path):
    net = model("fm")
    net.register_forward_hook(lambda module, inputs, logits: logits if module.training else logits * math.nan)
    with pytest.raises(UserError, match="auc of the valid split is undefined at step 8: 120 of 120 predictions"):
        fit(trainer(), net, tmp_path)


@pytest.mark.parametrize(("monitor", "reason"), [("auc", "all 120 labels are 1"), ("gauc", "names no group column")])
def test_a_monitor_that_is_undefined_on_the_valid_split_is_refused_before_training(tmp_path, monitor, reason):
    valid = builders.data().rows("valid")
    valid = replace(valid, groups=None) if monitor == "gauc" else replace(valid, labels=torch.ones(120))

    def train_is_read(batch, step):
        raise AssertionError("training began")

    with pytest.raises(UserError, match=f"monitor={monitor} is undefined on the valid split: .*{reason}"):
        fit(trainer(monitor=monitor), model("fm"), tmp_path, Changed(train_is_read, {"valid": valid}))


def test_the_test_split_is_never_read(tmp_path):
    asked = []

    class Watched(Changed):
        def loader(self, split, *arguments, **settings):
            asked.append(split)
            assert split != "test", "fit reads the test split"
            return super().loader(split, *arguments, **settings)

    fit(trainer(eval_every=5), model("fm"), tmp_path, Watched(lambda batch, step: batch))
    assert set(asked) == {"train", "valid"}


def test_every_record_has_its_step_its_examples_and_names_of_split_and_metric(tmp_path):
    fit(trainer(log_every=3, max_steps=11), model("fm"), tmp_path)
    found = records(tmp_path)
    assert [r["step"] for r in found if "train/loss" in r] == [3, 6, 8, 9, 11]
    for record in found:
        step = record.pop("step")
        assert record.pop("examples") == 32 * step - 16 * (step >= 8)  # the last batch of an epoch is half a batch
        assert record
        for name, value in record.items():
            assert re.fullmatch("(train|valid)/[a-z_]+", name)
            assert math.isfinite(value)


def test_a_recorded_loss_is_the_mean_since_the_record_before(tmp_path):
    for every in (1, 4):
        fit(trainer(log_every=every), model("nfm"), tmp_path / str(every))
    single, means = losses(tmp_path / "1"), losses(tmp_path / "4")
    assert means == pytest.approx([sum(single[i : i + 4]) / 4 for i in range(0, 24, 4)], rel=1e-12)


def test_tensorboard_shows_loss_norm_speed_rates_and_valid_scores(tmp_path):
    fit(trainer(log_every=2), model("fm"), tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    wanted = {"train/loss", "train/grad_norm", "train/examples_per_second", "train/lr_embedding", "train/lr_linear"}
    by_examples = {"by_examples/train_loss", "by_examples/valid_auc", "by_examples/valid_log_loss"}
    assert wanted | by_examples | {"valid/auc", "valid/log_loss"} == set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("valid/auc")] == [8, 16, 24]
    shown = [event.value for event in events.Scalars("train/loss")]
    assert shown == pytest.approx(losses(tmp_path), rel=1e-6)


def test_a_few_curves_are_shown_by_examples_too(tmp_path):
    fit(trainer(log_every=3, metrics=["auc", "log_loss", "rmse"], monitor="rmse"), model("fm"), tmp_path)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    for split, name in (("train", "loss"), ("valid", "rmse"), ("valid", "auc"), ("valid", "log_loss")):
        expected = [(r["examples"], r[f"{split}/{name}"]) for r in records(tmp_path) if f"{split}/{name}" in r]
        shown = [(event.step, event.value) for event in events.Scalars(f"by_examples/{split}_{name}")]
        assert [examples for examples, _ in shown] == [examples for examples, _ in expected]
        assert [value for _, value in shown] == pytest.approx([value for _, value in expected], rel=1e-6)
    assert len([tag for tag in events.Tags()["scalars"] if tag.startswith("by_examples/")]) == 4


def test_a_single_pass_warms_up_and_falls_to_its_minimum_within_it(tmp_path):
    """8 steps: two to rise, then half a cosine over the other six, which a seventh would end at 0."""
    settings = {"schedule": Cosine(warmup_steps=2, min_scale=0.0), "max_epochs": 1, "eval_every": 0.25}
    fit(trainer(groups=builders.groups(lr=1e-3), **settings), model("fm"), tmp_path)
    found = [record["train/lr_embedding"] for record in records(tmp_path) if "train/loss" in record]
    falling = [0.5e-3 * (1 + math.cos(math.pi * step / 6)) for step in range(6)]
    assert found == pytest.approx([0.5e-3, 1e-3, *falling], rel=1e-9)


def test_bf16_learns_about_as_well_as_fp32_and_keeps_its_weights_in_float32(tmp_path):
    scores = {}
    for precision in ("fp32", "bf16"):
        net = model("deepfm", dropout=0.0)
        scores[precision] = fit(trainer(precision=precision, max_epochs=6), net, tmp_path / precision).best.values
        assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}
    assert losses(tmp_path / "bf16") != losses(tmp_path / "fp32")
    assert scores["bf16"]["auc"] == pytest.approx(scores["fp32"]["auc"], abs=0.03)
    assert scores["bf16"]["auc"] > 0.7


def test_compiling_changes_no_score(tmp_path):
    """Needs a C++ compiler, as torch.compile does; to where rounding differs."""
    inductor = pytest.importorskip("torch._inductor.cpp_builder")
    try:
        inductor.get_cpp_compiler()
    except Exception as error:
        pytest.skip(f"torch.compile finds no C++ compiler: {error}")
    scores = []
    for compiled in (False, True):
        settings = {"compile": compiled, "max_epochs": 2, "batch_size": 120}
        scores.append(fit(trainer(**settings), model("fm"), tmp_path / str(compiled)).best.values)
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"metrics": ["auc", "acu"]}, "no metric 'acu'; known are auc, .*; did you mean 'auc'"),
        ({"monitor": "accuracy"}, "no metric 'accuracy'"),
        ({"monitor": "calibration"}, "calibration has no better direction"),
        ({"max_epochs": 0}, "max_epochs must be at least 1, found 0"),
        ({"max_steps": 0}, "max_steps must be at least 1"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"eval_every": 0}, "eval_every must be at least 1"),
        ({"eval_every": 0.0}, "eval_every must be a whole number of steps, or a fraction"),
        ({"eval_every": -0.5}, "eval_every must be a whole number"),
        ({"eval_every": 2.0}, "eval_every must be a whole number"),
        ({"eval_every": math.nan}, "eval_every must be a whole number"),
        ({"eval_every": 0.3}, "found 0.3; 0.3333 is near"),
        ({"save_every": -1}, "save_every must be at least 1, found -1"),
        ({"log_every": 0}, "log_every must be at least 1"),
        ({"eval_batch_size": 0}, "eval_batch_size must be at least 1"),
        ({"clip_norm": 0.0}, "clip_norm must be null or positive"),
        ({"clip_norm": math.nan}, "clip_norm must be null or positive"),
        ({"groups": {"embedding": {"lr": 1.0, "l2": 0.0}}}, "groups must be embedding, linear, network"),
        ({"device": "cuda:99"}, "device=cuda:99 is not on this machine: .*; use device=cpu"),
        ({"device": "toaster"}, "device=toaster is not on this machine: .*; use device=cpu"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused_with_their_name(settings, complaint):
    with pytest.raises(UserError, match=complaint):
        trainer(**settings)


@pytest.mark.parametrize(("settings", "complaint"), [({"batch_size": 0}, "batch_size"), ({"order": "random"}, "order")])
def test_what_the_loader_refuses_stops_before_training(tmp_path, settings, complaint):
    with pytest.raises(UserError, match=f"{complaint} must be"):
        fit(trainer(**settings), model("fm"), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_without_the_monitor_among_the_metrics_it_is_scored_all_the_same(tmp_path):
    progress = fit(trainer(metrics=["log_loss"], monitor="auc"), model("fm"), tmp_path)
    assert set(progress.best.values) == {"log_loss", "auc"}


# --- small data, and data without all negatives ---


@pytest.mark.parametrize(
    ("num_rows", "size"),
    [(10, 16), (600, 16), (1024, 32), (7_200, 128), (131_071, 2048), (131_072, 4096), (10**8, 4096)],
)
def test_the_batch_size_of_small_data_makes_32_steps_an_epoch(num_rows, size):
    assert default_batch_size(num_rows) == size


def test_without_a_batch_size_the_trainer_takes_that_of_its_data(tmp_path):
    assert fit(trainer(batch_size=None, max_epochs=1), model("fm"), tmp_path).step == 240 // 16


def test_probabilities_are_corrected_for_dropped_negatives_on_valid_and_test_alone():
    one, untrained = trainer(metrics=["auc", "calibration"]), model("fm")
    sampled = builders.other_data(negatives_kept=0.1)
    for split, less in (("train", False), ("valid", True), ("test", True)):
        plain, corrected = (one.evaluate(untrained, data, split).values for data in (builders.data(), sampled))
        assert corrected["auc"] == plain["auc"]
        assert (corrected["calibration"] < 0.5 * plain["calibration"]) == less


def test_a_model_that_needs_the_log_loss_is_refused_with_another_objective():
    model = builders.model("finalnet")
    builders.trainer().check(model)
    others = [
        SquaredError(reduction="mean", plus_minus_one=False, clip=True),
        LogLoss(reduction="sum"),
    ]
    for objective in others:
        with pytest.raises(UserError, match=r"FinalNet: its block 'mean', as it is set, is for the log loss"):
            builders.trainer(objective=objective).check(model)
        builders.trainer(objective=objective).check(builders.model("finalnet", distillation=False))
