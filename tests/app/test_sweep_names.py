"""What a sweep is told before it begins: names that follow from the words, and each job's share of the machine."""

import itertools
import re

import pytest

from ctr.app.sweep import share
from ctr.app.sweep.names import run_name, sweep_name

WORDS = ["model=fm,nfm", "seed=1,2,3", "trainer.optimizer.lr=0.01,0.1", "dataset=frappe"]


def test_a_sweeps_name_is_that_of_its_words_in_any_order():
    names = {sweep_name(words, []) for words in itertools.permutations(WORDS)}
    assert len(names) == 1
    assert names.pop().startswith("dataset_frappe_model_fm-nfm_seed1-2-3_lr0.01-0.1-")
    assert sweep_name([], []).startswith("defaults-")


@pytest.mark.parametrize(
    ("hydra", "same"),
    [
        (["hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "hydra.mode=MULTIRUN"], True),
        (["hydra/sweeper=optuna"], False),
        (["+hydra.sweeper.params.seed=1,2"], False),
    ],
)
def test_how_jobs_are_launched_is_no_part_of_the_name_and_what_is_searched_is(hydra, same):
    assert (sweep_name(WORDS, hydra) == sweep_name(WORDS, [])) == same


def test_other_words_have_another_name():
    cut = [f"model.some_key_{i}={i}" for i in range(40)]
    names = [sweep_name(words, []) for words in (WORDS, WORDS[:3], [*WORDS, "threads=1"], cut, [*cut, "model.z=1"])]
    assert len(set(names)) == len(names)
    assert all(len(name) < 90 for name in names)


def test_a_runs_name_says_what_it_is():
    assert run_name(["model=nfm", "seed=2"], "frappe", "nfm", 2) == "frappe-nfm-seed2"
    assert run_name(["experiment=nfm_frappe", "seed=2"], "frappe", "nfm", 2) == "frappe-nfm-nfm_frappe-seed2"
    assert run_name(["task=regression", "threads=1"], "frappe", "fm", 1) == "frappe-fm-task_regression-threads1-seed1"
    name = run_name(["trainer.optimizer.lr=0.01", "model.hidden_dims=[8,8]", "seed=1"], "frappe", "fm", 1)
    assert re.fullmatch(r"frappe-fm-hidden_dims8-8-lr0.01-[0-9a-f]{6}-seed1", name)


def test_runs_of_other_words_have_other_names_and_seeds_share_the_rest():
    settings = [
        [],
        ["threads=1"],
        ["model.dropout=0.5"],
        ["model.embedding_dropout=0.5"],
        ["trainer.max_steps=9"],
        ["stages.pretrain.trainer.max_steps=9"],
        ["dataset.root=/one/data"],
        ["dataset.root=/two/data"],
        ["+model.hidden_dims=[8,8]"],
        ["model.hidden_dims=[8,8]"],
        ["model.hidden_dims=[8]", "+trainer.x=8"],
        [f"model.key_{i}={i}" for i in range(30)],
        [f"model.key_{i}={i}" for i in range(31)],
    ]
    names = [run_name(words, "frappe", "fm", 1) for words in settings]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[\w.+-]{1,120}", name) for name in names)
    for words, name in zip(settings, names, strict=True):
        assert run_name([*reversed(words), "seed=7"], "frappe", "fm", 7) == name[:-1] + "7"


BASIC = {"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}
JOBLIB = {"_target_": "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher"}
LOCAL = {"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.LocalLauncher"}
SLURM = {"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"}


@pytest.mark.parametrize(
    ("launcher", "cores", "threads"),
    [
        (BASIC, 8, None),
        ({**JOBLIB, "n_jobs": 2}, 8, 4),
        ({**JOBLIB, "n_jobs": 3}, 8, 2),
        ({**JOBLIB, "n_jobs": 16}, 8, 1),
        ({**JOBLIB, "n_jobs": -1}, 8, 1),
        ({**JOBLIB, "n_jobs": -7}, 8, 4),  # joblib: all cores but six
        ({**JOBLIB, "n_jobs": -99}, 8, 8),
        ({**LOCAL, "cpus_per_task": None}, 8, 1),
        ({**LOCAL, "cpus_per_task": 3}, 8, 3),
        ({**SLURM, "cpus_per_task": None}, 8, None),
        ({**SLURM, "cpus_per_task": 5}, 8, 5),
    ],
)
def test_jobs_side_by_side_divide_the_cores(launcher, cores, threads):
    assert share.threads(launcher, cores) == threads
    assert share.parallel(launcher) == (launcher is not BASIC)


def test_jobs_take_gpus_in_turn():
    assert [share.gpu(job, 3, None) for job in range(7)] == ["0", "1", "2", "0", "1", "2", "0"]
    assert [share.gpu(job, 2, "5,7") for job in range(3)] == ["5", "7", "5"]
    assert share.gpu(4, 1, None) == "0"


def test_jobs_side_by_side_are_one_a_core_and_not_too_many(monkeypatch):
    for cores, jobs in {1: 1, 2: 2, 8: 8, 64: 8}.items():
        monkeypatch.setattr(share, "cores", lambda count=cores: count)
        assert share.default_jobs("cpu") == jobs
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    assert share.default_jobs("cuda") == 4
    assert share.default_jobs("cuda:1") == 1
