"""Searches as data: what a file may say, what it is refused for, and what becomes of the best settings."""

import itertools
from types import SimpleNamespace

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

optuna = pytest.importorskip("optuna", reason="tuning needs Optuna: pip install -e '.[tune]'")

from ctr.app import composed
from ctr.app.tune import best, checking, command, outcome, plots, reading, space
from ctr.app.tune import study as studies
from ctr.errors import UserError
from tests.app.test_tune import SWEEP

LR = {"low": 1e-4, "high": 1e-2, "log": True}


def written(tmp_path, **changes) -> str:
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump({**SWEEP, **changes}, sort_keys=False))
    return str(path)


@pytest.mark.parametrize("name", reading.names())
def test_every_sweep_that_is_shipped_fits_the_configs(name, monkeypatch):
    monkeypatch.setenv("CTR_DATA", "somewhere")
    sweep = reading.read(name)
    bases = checking.bases(sweep)
    text = (reading.SWEEPS / f"{name}.yaml").read_text()
    assert f"python scripts/tune.py sweep={name}" in text
    assert set(best.seeds_for(sweep.seeds)).isdisjoint(sweep.seeds)
    if sweep.start:
        for member in sweep.members:
            assert all(member.space[key].inner(value) is not None for key, value in bases[member.name].own.items())


def test_every_tuned_model_on_frappe_starts_from_what_bars_publishes_with_the_same_changes():
    sweep = reading.read("frappe_tuned")
    assert {member.name for member in sweep.members} >= {"fm", "dnn", "deepfm", "nfm", "dcnv2", "finalmlp"}
    same = ("precision=bf16", "model.embedding_dim=32", "trainer.schedule.patience=2", "trainer.patience=4")
    for member in sweep.members:
        assert member.overrides[: len(same) + 1] == (*same, f"experiment={member.name}_frappe_bars")
    assert sweep.start
    assert set(sweep.seeds).isdisjoint({1, 2, 3, 4, 5})


def test_numbers_are_read_as_hydra_reads_them(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "title: t\ntrials: 1\nseeds: [1]\nspace: {trainer.optimizer.lr: {low: 1e-4, high: 1e-2, log: true}}\n"
    )
    assert reading.read(str(path)).members[0].space["trainer.optimizer.lr"].low == 1e-4


BAD = [
    ({"trails": 3}, "nothing reads the key 'trails'; known are .*did you mean 'trials'"),
    ({"sampler": "tpee"}, "expected one of tpe, random, grid; found 'tpee'; did you mean 'tpe'"),
    ({"pruner": "hyperband"}, "the key 'most' is missing"),
    ({"pruner": {"name": "median", "most": 3}}, "nothing reads the key 'most'"),
    ({"objectives": ["seconds"]}, r"expected \[score\], \[score, seconds\]"),
    ({"objectives": ["score", "parameters"], "pruner": "median"}, "no telling which trial is behind"),
    ({"trials": 0}, "whole number of at least 1, found 0"),
    ({"seeds": [1, 1]}, "list of different whole numbers"),
    ({"space": {}}, "nothing to search"),
    ({"space": {"trainer.optimizer.lr": {"low": 0.1, "high": 0.01}}}, "low has to be below high"),
    ({"space": {"trainer.optimizer.lr": {"low": 0.0, "high": 0.01, "log": True}}}, "low is above 0"),
    ({"space": {"trainer.optimizer.lr": [0.1]}}, "at least two values"),
    ({"sampler": "grid", "space": {"trainer.optimizer.lr": LR}}, "one of its ranges has no end"),
    ({"sampler": "grid", "start": True}, "false for a grid"),
    ({"overrides": ["seed=3"]}, "seed cannot be set here"),
    ({"overrides": ["trust=[evil]"]}, "trust cannot be set here"),
    ({"overrides": ["model"]}, "'model' is no override"),
    ({"overrides": ["~trainer"]}, "is no override"),
    ({"space": {"seed": [1, 2]}}, "seed cannot be set here"),
    ({"space": {"monitor": ["auc", "log_loss"]}}, "monitor cannot be searched"),
    ({"overrides": ["model=fm", "model.embedding_dim=4"]}, "both fixed"),
    ({"models": {"a": {"spaces": {}}}}, "did you mean 'space'"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=str)
def test_what_a_file_must_not_say_is_refused_with_its_place(tmp_path, change, message):
    with pytest.raises(UserError, match=message) as caught:
        reading.read(written(tmp_path, **change))
    assert "s.yaml" in str(caught.value)


MISFITS = [
    ({"space": {"model.embeding_dim": [4, 8]}}, "is no key of the config; did you mean 'model.embedding_dim'"),
    ({"space": {"trainer.groups.embedding": [1, 2]}}, "holds trainer.groups.embedding.lr"),
    ({"space": {"model.embedding_dim": [10, "large"]}}, "expected a whole number, found 'large'"),
    ({"space": {"trainer.optimizer.lr": {"low": 0, "high": 1}}}, "write 0.0"),
    ({"space": {"model.embedding_dim": [4, 8]}}, "embedding_dim=10, which is not among 4, 8. Widen"),
    ({"space": {"optimizer@trainer.optimizer": ["auto", "adamm"]}}, "did you mean 'adam'"),
    ({"overrides": ["model=nfmm"]}, "did you mean 'nfm'"),
    ({"overrides": ["monitor=calibration"]}, "has no better and worse"),
    ({"models": {"a": {}, "b": {"overrides": ["monitor=log_loss"]}}}, "monitor different scores, auc, log_loss"),
]


@pytest.mark.parametrize(("change", "message"), MISFITS, ids=str)
def test_what_the_configs_do_not_take_is_refused_before_any_trial(tmp_path, change, message):
    with pytest.raises(UserError, match=message):
        checking.bases(reading.read(written(tmp_path, **change)))


def test_a_group_is_searched_by_its_files(tmp_path):
    spans = {"optimizer@trainer.optimizer": ["auto", "adagrad"], "model": ["fm", "dnn"]}
    sweep = reading.read(written(tmp_path, overrides=[], space=spans))
    assert dict(checking.bases(sweep)["s"].own) == {"optimizer@trainer.optimizer": "auto", "model": "fm"}
    assert sweep.members[0].words({"optimizer@trainer.optimizer": "adagrad", "model": "dnn"}) == [
        "optimizer@trainer.optimizer=adagrad",
        "model=dnn",
    ]


def test_what_is_not_there_is_refused():
    with pytest.raises(UserError, match=r"there is no sweep 'nfm_frape'.*did you mean 'nfm_frappe'"):
        reading.read("nfm_frape")
    with pytest.raises(UserError, match="no such file"):
        reading.read("nowhere/s.yaml")
    with pytest.raises(UserError, match="--processes must be at least 1"):
        command.tune(command.Request("nfm_frappe", (), None, 0, None, ""), print)


VALUES = [1e-05, 0.1, 3, True, False, None, "relu", "true", "it's", "a b, c", [400, 400], [0.5, "x y"], []]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_an_override_says_its_value(value):
    config = composed.compose([f"+x={space.said('y', value).removeprefix('y=')}"])
    assert OmegaConf.to_container(config)["x"] == value
    assert OverridesParser.create().parse_override(space.said("y", value)).key_or_group == "y"


def test_the_same_settings_have_one_folder_and_others_have_others():
    member = reading.read("nfm_frappe").members[0]
    settings = {key: dimension.ends[0] for key, dimension in member.space.items()}
    folders = {member.folder({**settings, "trainer.optimizer.lr": lr}) for lr in (1e-3, 1e-3, 1.0000001e-3)}
    assert len(folders) == 2
    assert len(max(folders)) < 80


def drawn(member, sampler, number) -> list[dict]:
    study = optuna.create_study(direction="maximize")
    found = []
    for i in range(number):
        trial = studies.begin(study, sampler, member)
        study.tell(trial, i / number)
        found.append(studies.settings(trial.params, member))
    return found


def test_a_grid_is_every_setting_once_in_an_order_of_its_seed(tmp_path):
    spans = {"model.embedding_dim": {"low": 2, "high": 6, "step": 2}, "trainer.optimizer.lr": [0.1, 0.2]}
    sweep = reading.read(written(tmp_path, sampler="grid", space=spans, trials=100))
    member = sweep.members[0]
    assert sweep.trials_of(member) == 6
    found = [tuple(settings.values()) for settings in drawn(member, sweep.sampler, 6)]
    assert sorted(found) == list(itertools.product([2, 4, 6], [0.1, 0.2]))
    assert found != sorted(found)
    assert found == [tuple(settings.values()) for settings in drawn(member, sweep.sampler, 6)]


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_what_is_drawn_lies_in_the_space_and_a_kill_between_two_draws_changes_nothing(tmp_path, sampler):
    spans = {"trainer.optimizer.lr": LR, "model.embedding_dim": {"low": 1, "high": 64, "log": True}}
    spans["model.init_std"] = [0.01, 0.1, 1.0]
    sweep = reading.read(written(tmp_path, sampler={"name": sampler, "startup": 3}, space=spans))
    member = sweep.members[0]
    expected = drawn(member, sweep.sampler, 8)
    for settings in expected:
        assert all(member.space[key].inner(value) is not None for key, value in settings.items())
    assert len({str(settings) for settings in expected}) == 8

    study, found = optuna.create_study(direction="maximize"), []
    for i in range(8):
        trial = killed_after_one_draw(study, sweep.sampler, member)
        study.tell(trial, i / 8)
        found.append(studies.settings(trial.params, member))
    assert found == expected


def killed_after_one_draw(study, sampler, member):
    class Killed(BaseException):
        pass

    suggest = optuna.trial.Trial.suggest_int
    with pytest.MonkeyPatch.context() as patch:

        def kill(*_, **__):
            raise Killed

        patch.setattr(optuna.trial.Trial, "suggest_int", kill)
        with pytest.raises(Killed):
            studies.begin(study, sampler, member)
    assert optuna.trial.Trial.suggest_int is suggest
    (left,) = study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
    assert len(left.params) == 1
    return studies.go_on(study, left, sampler, member)


# --- the best settings as an experiment file ---

WORDS = [
    ["model=nfm", "model.hidden_dims=[8,8]", "trainer.optimizer.lr=1e-05", "optimizer@trainer.optimizer=lazy_adam"],
    ["experiment=nfm_frappe_bars", "model.embedding_dim=4", "trainer.groups.linear.l2=${trainer.groups.embedding.l2}"],
    ["experiment=nfm_frappe", "optimizer@trainer.optimizer=adam", "schedule@trainer.schedule=cosine", "model=deepfm"],
    ["dataset=frappe", "trainer=bars", "model=fnn", "stages=fnn_bars", "stages.pretrain.trainer.optimizer.lr=0.01"],
    ["model=fm", "model=nfm", "task=regression", "trainer.groups={embedding: {l2: 0.5}}", "trainer.max_steps=null"],
    ["+model.extra=[a, 'b c']", "trainer.clip_norm=null", "dataset.num_train=5"],
    ["trainer.max_epochs=3"],
]


@pytest.mark.parametrize("words", WORDS, ids=" ".join)
def test_the_experiment_file_composes_to_the_very_config_of_the_trial(tmp_path, monkeypatch, words):
    monkeypatch.setenv("CTR_DATA", "somewhere")
    folder = tmp_path / "a folder's"
    path = best.write(folder, "x_best", words, ["told"], "python train.py experiment=x_best")
    again = composed.compose(["experiment=x_best"], more=folder)
    expected = composed.compose([*words, "claim=null"])
    assert OmegaConf.to_container(again, resolve=True) == OmegaConf.to_container(expected, resolve=True)
    assert path.read_text().startswith("# @package _global_\n# told\n#   python train.py experiment=x_best\n")


def test_seeds_to_measure_with_have_chosen_nothing():
    assert best.seeds_for([11, 12]) == [1, 2, 3, 4, 5]
    assert best.seeds_for([1, 3]) == [2, 4, 5, 6, 7]


def test_importance_finds_the_key_that_the_score_hangs_on(tmp_path):
    sweep = reading.read(
        written(tmp_path, space={"trainer.optimizer.lr": LR, "trainer.clip_norm": {"low": 1.0, "high": 9.0}})
    )
    study = optuna.create_study(direction="maximize")
    for _ in range(40):
        trial = studies.begin(study, sweep.sampler, sweep.members[0])
        study.tell(trial, trial.params["trainer.clip_norm"])
    shares = plots.importances(outcome.Outcome(sweep.members[0], SimpleNamespace(direction="maximize"), study, sweep))
    assert shares["trainer.clip_norm"] > 0.9
