"""Every file under configs/ composes, resolves and fits the classes it names."""

import pytest
import yaml
from torch import nn

from ctr.app import claim
from ctr.app.config import build, check, plain
from ctr.training import Trainer
from tests.app.compose import config
from tests.conftest import ROOT
from tests.training import builders

FILLED = {  # what the user of a template fills in
    "table": ["dataset.fields={user: categorical}"],
    "libffm": ["dataset.reader.names=[user, item]"],
    "prepared": ["dataset.root=somewhere"],
}


def choices(group: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "configs" / group).glob("*.yaml"))


GROUPS = sorted({path.name for path in (ROOT / "configs").iterdir() if path.is_dir()} - {"sweep"})  # scripts/tune.py's
OVERRIDE = {"optimizer": "optimizer@trainer.optimizer", "schedule": "schedule@trainer.schedule"}


@pytest.mark.parametrize(("group", "choice"), [(group, choice) for group in GROUPS for choice in choices(group)])
def test_every_choice_of_every_group_passes_check(group, choice, monkeypatch):
    monkeypatch.setenv("CTR_DATA", "somewhere")
    composed = plain(config(f"{OVERRIDE.get(group, group)}={choice}", *FILLED.get(choice, [])))
    check(composed)
    claim.check(composed["claim"])


FNN_ONLY = {"fnn", "fnn_bars"}  # chains of FNN, which has no `bias` to hand to its FM stage
WITHOUT_VECTORS = {"lr", "poly2"}  # an FM has nothing to give them that they do not learn themselves
CHAINS = [
    (model, stages)
    for model in choices("model")
    for stages in choices("stages")
    if stages == "none" or ((model == "fnn") == (stages in FNN_ONLY) and model not in WITHOUT_VECTORS)
]


@pytest.mark.parametrize(("model", "stages"), CHAINS)
def test_every_model_goes_with_its_chains(model, stages):
    composed = plain(config(f"model={model}", f"stages={stages}"))
    check(composed)
    assert list(composed["stages"]) == (["train"] if stages == "none" else ["pretrain", "train"])


@pytest.mark.parametrize("name", choices("experiment"))
def test_an_experiments_model_can_be_trained_without_earlier_stages(name):
    assert list(config(f"experiment={name}", "stages=none").stages) == ["train"]


def test_only_fnn_asks_for_an_fm_stage_by_itself():
    chains = {model: list(config(f"model={model}").stages) for model in choices("model")}
    assert chains.pop("fnn") == ["pretrain", "train"]
    assert set(map(tuple, chains.values())) == {("train",)}


@pytest.mark.parametrize("name", choices("experiment"))
def test_an_experiment_opens_with_what_it_is_and_its_command(name):
    text = (ROOT / "configs" / "experiment" / f"{name}.yaml").read_text()
    assert text.startswith("# @package _global_\n# ")
    assert f"python train.py experiment={name}" in text
    assert yaml.safe_load(text)["claim"]["source"]


def test_facts_of_the_machine_and_the_task_reach_the_trainers_of_all_stages():
    composed = plain(config("model=fnn", "device=meta", "precision=bf16", "seed=5", "task=plus_minus_one"))
    for stage in composed["stages"].values():
        trainer = stage["trainer"]
        assert (trainer["device"], trainer["precision"], trainer["seed"]) == ("meta", "bf16", 5)
        assert trainer["monitor"] == "rmse"
        assert trainer["objective"]["plus_minus_one"]


def test_every_key_of_every_stage_can_be_set():
    composed = plain(config("model=fnn", "stages.pretrain.trainer.max_epochs=5", "trainer.max_epochs=7"))
    assert composed["stages"]["pretrain"]["trainer"]["max_epochs"] == 5
    assert composed["stages"]["train"]["trainer"]["max_epochs"] == 7


def test_a_group_learns_at_the_optimizers_rate_unless_told_otherwise():
    trainer = plain(config("trainer.optimizer.lr=0.5", "trainer.groups.linear.lr=0.1"))["trainer"]
    assert {name: group["lr"] for name, group in trainer["groups"].items()} == {
        "embedding": 0.5,
        "linear": 0.1,
        "network": 0.5,
    }


def test_the_fm_stage_keeps_to_the_budget_of_the_main_trainer():
    stages = plain(config("model=fnn", "trainer=debug", "trainer.patience=7"))["stages"]
    for key in ("batch_size", "max_steps", "max_epochs", "patience", "eval_every", "log_every", "order", "clip_norm"):
        assert stages["pretrain"]["trainer"][key] == stages["train"]["trainer"][key], key


def composed_trainer(*overrides: str) -> Trainer:
    """With FTRL the schedule that it needs, and no precision but fp32."""
    constant = ["schedule@trainer.schedule=constant"] if "optimizer@trainer.optimizer=ftrl" in overrides else []
    return build(plain(config("trainer.batch_size=32", *overrides, *constant))["trainer"])


@pytest.mark.parametrize("optimizer", choices("optimizer"))
def test_every_optimizer_trains_all_parameters_of_every_model(optimizer, tmp_path):
    trainer = composed_trainer(f"optimizer@trainer.optimizer={optimizer}", "trainer.max_steps=2")
    for name in choices("model"):
        net = builders.model(name)
        for module in net.modules():
            if isinstance(module, nn.Embedding):  # so large that no step drowns in the rounding of float32
                nn.init.normal_(module.weight, std=0.5)
        before = builders.weights(net)
        builders.fit(trainer, net, tmp_path / name)
        after = builders.weights(net)
        assert set(builders.differing(before, after)) == set(after), name
        assert all(weight.isfinite().all() for weight in after.values()), name


@pytest.mark.parametrize(
    ("lazy", "dense"),
    [("auto", "adam"), ("lazy_adam", "adam"), ("lazy_adagrad", "adagrad"), ("lazy_sgd", "sgd")],
)
def test_an_optimizer_of_the_rows_of_the_batch_takes_the_steps_of_its_dense_form(lazy, dense, tmp_path):
    """To rounding, as the losses show; of FNN, since a bias before a batch norm learns from nothing but rounding."""
    found = []
    for name in (lazy, dense):
        settings = [f"optimizer@trainer.optimizer={name}", "trainer.log_every=1", "trainer.max_steps=20"]
        builders.fit(composed_trainer(*settings), builders.model("fnn"), tmp_path / name)
        records = builders.records(tmp_path / name)
        found.append([record[key] for record in records for key in ("train/loss", "valid/log_loss") if key in record])
    assert len(found[0]) == 23
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_auto_is_lazy_adam_but_for_small_tables():
    auto = plain(config())["trainer"]["optimizer"]
    lazy = plain(config("optimizer@trainer.optimizer=lazy_adam"))["trainer"]["optimizer"]
    assert auto == {**lazy, "dense_up_to": 50_000}
