"""The loop."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import torch
from rich.console import Console
from torch import nn

from ctr.batch import Batch, DataModule, Loader
from ctr.errors import Stopped, UserError, nearest
from ctr.metrics import METRICS, Metric, Predictions, Scores, score
from ctr.training import checkpoint, snapshot
from ctr.training.device import Choice, autocast, find_device, find_precision
from ctr.training.evaluate import as_predictions, in_turn, predict, predictions
from ctr.training.interrupt import on_sigterm
from ctr.training.objective import LogLoss, Objective
from ctr.training.optimizer import GroupedOptimizer, MakeOptimizer, read_groups
from ctr.training.profile import Profile, phase
from ctr.training.progress import Progress
from ctr.training.rhythm import Pace, Rhythm, at_least_one
from ctr.training.run_log import RunLog
from ctr.training.schedule import Constant, Schedule
from ctr.training.table_optimizers import FTRLProximal, TableOptimizer
from ctr.training.watch import Watch


class Trainer:
    """Trains, evaluates on the valid split, keeps the best weights by `monitor`, and ends (ctr.training.rhythm says
    when). It never reads the test split.

    `batch_size` null is 4,096, or less on small data: the largest power of two that makes 32 steps an epoch. `groups`
    gives embedding, linear and network a learning rate and an L2 each (see ctr.training.optimizer);
    `clip_norm` bounds the norm of all gradients together, L2 included; `order` is how rows are drawn
    (ctr.data.loader); `profile` shows where the time goes (ctr.training.profile). Null turns a limit off.
    """

    def __init__(
        self,
        *,
        objective: Objective,
        metrics: Sequence[str],
        monitor: str,
        optimizer: MakeOptimizer | TableOptimizer,
        groups: Mapping[str, Mapping[str, float]],
        schedule: Schedule,
        clip_norm: float | None,
        batch_size: int | None,
        eval_batch_size: int,
        order: Literal["file", "shuffled", "blocks"],
        max_epochs: int,
        max_steps: int | None,
        patience: int | None,
        eval_every: int | float | None,
        save_every: int | None,
        log_every: int,
        precision: Choice,
        compile: bool,
        profile: bool,
        device: str,
        seed: int,
    ):
        for name in (*metrics, monitor):
            if name not in METRICS:
                raise UserError(f"there is no metric {name!r}; known are {', '.join(METRICS)}{nearest(name, METRICS)}")
        if METRICS[monitor].higher_is_better is None:
            raise UserError(f"monitor: {monitor} has no better direction; choose another metric")
        if isinstance(optimizer, FTRLProximal) and not isinstance(schedule, Constant):
            raise UserError(
                "optimizer=ftrl lowers its rates by itself, coordinate by coordinate, and its weights follow from the "
                "rate: use schedule@trainer.schedule=constant"
            )
        at_least_one(batch_size=batch_size, eval_batch_size=eval_batch_size)
        if clip_norm is not None and not clip_norm > 0:
            raise UserError(f"clip_norm must be null or positive, found {clip_norm}")
        self.objective, self.schedule = objective, schedule
        self.metrics: list[Metric] = [METRICS[name] for name in dict.fromkeys([*metrics, monitor])]
        self.monitor = METRICS[monitor]
        self.make_optimizer, self.groups, self.clip_norm = optimizer, read_groups(groups), clip_norm
        self.batch_size, self.eval_batch_size, self.order, self.seed = batch_size, eval_batch_size, order, seed
        self.rhythm = Rhythm(
            max_epochs=max_epochs,
            max_steps=max_steps,
            patience=patience,
            eval_every=eval_every,
            save_every=save_every,
            log_every=log_every,
        )
        self.device = find_device(device)
        self.precision, self.precision_note = find_precision(precision, self.device)
        self.compile, self.profile = compile, profile

    def check(self, model: nn.Module) -> None:
        """Raises UserError where this trainer cannot train this model; changes nothing."""
        GroupedOptimizer(model, self.make_optimizer, self.groups)
        if self.batch_size == 1 and any(isinstance(module, nn.BatchNorm1d) for module in model.modules()):
            raise UserError("batch_size is 1, and batch norm has no variance over one example; use at least 2")
        parts = [name for name, module in model.named_modules() if getattr(module, "needs_log_loss", False)]
        if parts and not (isinstance(self.objective, LogLoss) and self.objective.reduction == "mean"):
            raise UserError(
                f"{type(model).__name__}: its block {parts[0]!r}, as it is set, is for the log loss averaged over the "
                f"batch, and this task has another objective; use task=binary, or the switch in the model's YAML"
            )

    def fit(self, model: nn.Module, data: DataModule, out: Path, console: Console) -> Progress:
        """Trains in `out`, going on from its newest checkpoint if it has one.

        Leaves the best weights in `model`, and returns the progress with their scores on the valid split.

        Raises UserError for a checkpoint of another schema or model, checkpoints of which none is whole, a monitor that
        is undefined on the valid split, and a loss that is not finite; Stopped after SIGTERM, once the state is saved.
        """
        self._check_monitor(data)
        batch_size = self.batch_size or default_batch_size(data.num_rows("train"))
        loader = data.loader("train", batch_size, order=self.order, seed=self.seed)
        pace = self.rhythm.over(len(loader))
        loader.to(self.device)
        model.to(self.device)
        optimizer = GroupedOptimizer(model, self.make_optimizer, self.groups)
        folder, progress = out / "checkpoints", Progress()
        if stored := checkpoint.load_newest(folder):
            progress = snapshot.put_back(stored, model, optimizer, data.schema)
            console.print(f"going on from step {progress.step:,} in {out}", soft_wrap=True)
        run = self._compiled(model)

        watch = Watch(1 if self.device.type == "cpu" else self.rhythm.log_every)
        profile = Profile(self.profile, model, self.device, out, console, whole=self.compile)
        with on_sigterm() as stop, RunLog(out, console, progress, pace.total_steps, self.monitor.name) as log, profile:
            for batch in profile.loading(_batches(loader, progress, pace)):
                optimizer.scale_lr(self.schedule.scale(progress, pace.total_steps))
                if not model.training:  # since an evaluation; to walk through all modules in every step takes time
                    run.train()
                self._step(run, optimizer, batch.to(self.device), progress, watch)
                progress.advance(len(batch), len(loader))
                evaluates, saves, records = pace.evaluates(progress), pace.saves(progress), pace.records(progress)
                stopping = stop.asked  # read once: the signal may come between two lines
                if evaluates or saves or records or stopping:
                    watch.read(progress)
                if evaluates or records:
                    log.train(progress, {"grad_norm": watch.last_norm, **optimizer.lrs()})
                if evaluates:
                    with phase("evaluation"):
                        optimizer.catch_up()
                        scores = self.evaluate(model, data, "valid")
                    progress.evaluated(scores, self._improves(scores, progress))
                    log.valid(progress, scores)
                if evaluates or saves or stopping:
                    progress.seconds, progress.saved = log.seconds(), progress.step
                    with phase("checkpoint"):
                        checkpoint.save(folder, progress.step, snapshot.take(model, optimizer, progress, data.schema))
                if stopping:
                    raise Stopped(f"stopped at step {progress.step:,}, which is saved in {out}")

        assert progress.best_step is not None  # the last step is always evaluated
        del optimizer  # its states are as large as the tables, or twice that
        if progress.best_step != progress.step:
            snapshot.load_weights(model, checkpoint.load_best(folder, progress.best_step))
        return progress

    def evaluate(self, model: nn.Module, data: DataModule, split: str) -> Scores:
        """The model's metrics on a split."""
        return score(self.predict(model, data, split), self.metrics)

    def predict(self, model: nn.Module, data: DataModule, split: str) -> Predictions:
        """What the model predicts on a split, in fp32 whatever the precision of training: rounded logits would tie.
        Where train has a share of its negatives only, probabilities for valid and test are corrected for that."""
        model.to(self.device)
        kept = data.negatives_kept if split != "train" and isinstance(self.objective, LogLoss) else 1.0
        loader = data.loader(split, self.eval_batch_size)
        return predict(model, loader, self.objective, self.device, kept)

    def evaluate_law(self, data: DataModule, split: str) -> dict[str, Scores]:
        """What the law behind the labels scores, where it is known and the objective predicts probabilities:
        "realised" on the very labels of the split, "expected" on average over the labels that it could have drawn.
        No model does better on average."""
        if split not in data.law or not isinstance(self.objective, LogLoss):
            return {}
        loader, logits = data.loader(split, self.eval_batch_size), data.law[split]
        drawn = predictions(loader, in_turn(logits), self.objective)
        average = as_predictions(logits, logits.sigmoid(), self.objective, drawn.weights, drawn.groups)
        return {
            "realised": score(drawn, self.metrics),
            "expected": score(average, [METRICS["auc"], METRICS["log_loss"]]),
        }

    def _compiled(self, model: nn.Module) -> nn.Module:
        if not self.compile:
            return model
        mode = "reduce-overhead" if self.device.type == "cuda" else "default"  # the former with CUDA graphs
        return cast(nn.Module, torch.compile(model, mode=mode))

    def _step(
        self, model: nn.Module, optimizer: GroupedOptimizer, batch: Batch, progress: Progress, watch: Watch
    ) -> None:
        """One update, unless the watch finds that loss or gradients are not finite."""
        with phase("forward"):
            with autocast(self.device, self.precision):
                logits = optimizer.forward(model, batch.ids, batch.values)
            loss = self.objective.loss(logits.float(), batch.labels, batch.weights)
        with phase("backward"):
            optimizer.zero_grad()
            loss.backward()
        with phase("clip"):
            optimizer.add_l2()
            norm = optimizer.clip(self.clip_norm)
            watch.see(loss.detach(), norm, progress)
        optimizer.step()

    def _improves(self, scores: Scores, progress: Progress) -> bool:
        name = self.monitor.name
        if name not in scores.values:
            raise UserError(f"{name} of the valid split is undefined at step {progress.step}: {scores.undefined[name]}")
        if progress.best is None:
            return True
        difference = scores.values[name] - progress.best.values[name]
        return difference > 0 if self.monitor.higher_is_better else difference < 0

    def _check_monitor(self, data: DataModule) -> None:
        """Before any training: is the monitor defined on these labels?"""
        loader = data.loader("valid", self.eval_batch_size)
        nothing = predictions(loader, lambda batch: torch.zeros(len(batch)), self.objective)
        scores = score(nothing, [self.monitor])
        if reason := scores.undefined.get(self.monitor.name):
            raise UserError(
                f"monitor={self.monitor.name} is undefined on the valid split: {reason}. Choose another monitor, or "
                f"a valid split that has it"
            )


def _batches(loader: Loader, progress: Progress, pace: Pace) -> Iterator[Batch]:
    """Batches from where the progress is, until the training has had enough."""
    while not pace.ended(progress):
        for batch in loader.batches(progress.epoch, skip=progress.batch):
            yield batch
            if pace.ended(progress):
                return


def default_batch_size(num_rows: int) -> int:
    """The largest power of two up to 4,096 that makes at least 32 steps an epoch, and at least 16."""
    size = 4096
    while size > 16 and num_rows < 32 * size:
        size //= 2
    return size
