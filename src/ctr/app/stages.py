"""The chain of stages, from a config to scores."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig
from rich.console import Console
from torch import nn

from ctr.app import board, busy, claim, curves, machine, overfit, run_folder, same_data, start, summary
from ctr.app.config import build, check, check_root, plain
from ctr.batch import DataModule
from ctr.data.module import Data
from ctr.data.names import Names
from ctr.errors import UserError
from ctr.schema import FeatureSchema
from ctr.training import checkpoint, memory, snapshot
from ctr.training.device import use_threads
from ctr.training.progress import Progress
from ctr.training.trainer import Trainer
from ctr.training.warm_start import warm_start


def run(cfg: DictConfig, out: Path, overrides: list[str], console: Console | None = None) -> float:
    """Trains every stage in order, each in its own folder of `out`; scores the last one on valid and test.

    Returns the monitored score on the valid split, which is what a sweep optimises; the test split is read once, at
    the end. The same call on the folder of a stopped run goes on where that one was; on a finished one it repeats
    the summary.
    """
    console = console or Console()
    config = plain(cfg)
    check_root(config)
    trust = run_folder.trusted(config, overrides)
    check(config, trust)
    claim.check(config["claim"])
    _check_stages(config["stages"])
    recipe = build(config["dataset"], trust, "dataset")
    own = {name: stage for name, stage in config["stages"].items() if stage.get("from") is None}
    if not own:
        raise UserError("stages: all of them are taken from other runs; nothing is left to train")
    use_threads(config["threads"])  # with which precision=auto is measured
    trainers: dict[str, Trainer] = {
        name: build(stage["trainer"], trust, f"stages.{name}.trainer") for name, stage in own.items()
    }
    with run_folder.lock(out):
        memory.forget_peak()
        run_folder.begin(out, config, overrides)
        how = machine.settle(out, config, trainers)
        data: Data = recipe.open()
        run_folder.write_json(out / "schema.json", data.schema.to_json())
        console.print(f"{summary.headline(config)}, {how}\n{data.summary}", soft_wrap=True, highlight=False)
        if told := busy.warning(torch.get_num_threads()):
            console.print(f"warning: {told}", soft_wrap=True, highlight=False)

        _rehearse(own, trainers, trust, data.schema)
        names, costs = Names(data), dict[str, Any]()
        for name, stage in own.items():
            torch.manual_seed(config["seed"])
            model: nn.Module = build(stage["model"], trust, f"stages.{name}.model", schema=data.schema)
            handed_on = (stage.get("warm_start") or {}).get("modules", ())
            begun = start.at(config["start"], model, trainers[name].objective, data, handed_on)
            _warm_start(model, stage, config["stages"], out, data.schema)
            console.print(f"stage {name}: {summary.model_line(model)}{begun}", soft_wrap=True, highlight=False)
            board.begin(out / name, config, name, model, data.schema)
            before = board.row_sums(model, data.schema) if config["board"] == "full" else {}
            progress = trainers[name].fit(model, data, out / name, console)
            peak = _peak(out)  # what figures take is no part of it
            if config["board"] == "full":
                board.stage(out / name, trainers[name], model, names, progress, before)
            costs[name] = {"seconds": round(progress.seconds, 2), "epochs": progress.epoch, "steps": progress.step}
        return _finish(out, config, model, trainers[name], data, progress, costs, peak, console)


def _check_stages(stages: Mapping[str, Any]) -> None:
    """Before anything is read: has every stage its parts, and every warm start its source?"""
    for name, stage in stages.items():
        for part in ("model", "trainer"):
            if "_target_" not in stage.get(part, {}):
                raise UserError(
                    f"stages.{name}.{part} names no class (_target_); a stage needs a model and a trainer. Is a file "
                    f"setting keys of a stage that the choice of stages=... does not have?"
                )
        if (source := stage.get("warm_start")) is not None and source["stage"] not in stages:
            raise UserError(f"stages.{name}.warm_start.stage: no stage {source['stage']!r}, only {', '.join(stages)}")
        if (other := stage.get("from")) is not None:
            run_folder.read_scores(Path(other))  # a finished run


def _rehearse(own: Mapping[str, Any], trainers: Mapping[str, Trainer], trust: list[str], schema: FeatureSchema) -> None:
    """Builds every stage once, untrained, and hands weights on, so that no mistake waits for a stage to end."""
    models: dict[str, nn.Module] = {}
    for name, stage in own.items():
        models[name] = build(stage["model"], trust, f"stages.{name}.model", schema=schema)
        trainers[name].check(models[name])
        if (source := stage.get("warm_start")) is not None and source["stage"] in models:
            warm_start(models[name], models[source["stage"]].state_dict(), source["modules"])


def _warm_start(
    model: nn.Module, stage: Mapping[str, Any], stages: Mapping[str, Any], out: Path, schema: FeatureSchema
) -> None:
    """Starts the blocks that the stage names from an earlier stage, of this run or of the run in its `from`."""
    if (source := stage.get("warm_start")) is None:
        return
    folder, best = out / source["stage"], None
    if (other := stages[source["stage"]].get("from")) is not None:
        folder = Path(other) / run_folder.last_stage(Path(other))
        best = run_folder.read_scores(Path(other)).get("best_step")
    trained = checkpoint.load_best(folder / "checkpoints", best)
    snapshot.check_schema(trained, schema)
    warm_start(model, trained.model, source["modules"])


def _peak(out: Path) -> dict[str, float | None] | None:
    """The most memory that the run has taken; of one that is only repeated, what it took when it was trained."""
    if (out / run_folder.SCORES).exists():
        return run_folder.read_scores(out).get("memory")
    return memory.peak()


def _finish(
    out: Path,
    config: dict[str, Any],
    model: nn.Module,
    trainer: Trainer,
    data: DataModule,
    progress: Progress,
    costs: Mapping[str, Any],
    peak: Mapping[str, float | None] | None,
    console: Console,
) -> float:
    assert progress.best is not None
    fingerprints = same_data.fingerprints(data)  # before test is scored: after that nothing else is read
    scores: dict[str, Any] = {
        "valid": progress.best.to_json(),
        "test": trainer.evaluate(model, data, "test").to_json(),
        **{f"law_{name}": law.to_json() for name, law in trainer.evaluate_law(data, "test").items()},
        "monitor": trainer.monitor.name,
        "best_step": progress.best_step,
        "steps": progress.step,
        "epochs": progress.epoch,
        "parameters": sum(p.numel() for p in model.parameters()),
        "seconds": round(sum(cost["seconds"] for cost in costs.values()), 2),
        "memory": peak,
        "stages": costs,
        "data": fingerprints,
    }
    scores["claim"] = claim.verdict(config["claim"], scores)
    last = run_folder.last_stage(out)
    scores["warnings"] = overfit.warnings(curves.records(out, last), trainer.monitor, progress)
    run_folder.write_json(out / run_folder.SCORES, scores)
    board.finish(out / last, config, scores)
    summary.show(console, out, scores, model)
    return float(scores["valid"][trainer.monitor.name])
