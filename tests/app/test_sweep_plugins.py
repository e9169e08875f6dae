"""Launchers and sweepers of others, where they are installed: the same promises."""

import json
import os
import signal

import pytest

from tests.app.compose import TINY
from tests.app.test_cli import ENVIRONMENT, python
from tests.app.test_sweep import SHORT, endless, has_trained, holder, linux, runs, sweep, wait_for


@pytest.fixture
def joblib():
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="of the extra `launch`")


@pytest.mark.usefixtures("joblib")
def test_runs_side_by_side_divide_the_threads_and_are_found_again(tmp_path, monkeypatch):
    words = [word for word in SHORT if word != "threads=1"]
    parallel = [
        *words,
        "seed=1,2",
        "trainer.optimizer.lr=0.01,1e30",
        "hydra/launcher=joblib",
        "hydra.launcher.n_jobs=2",
    ]
    monkeypatch.delitem(ENVIRONMENT, "OMP_NUM_THREADS")  # which would be the most that a run takes
    result = sweep(tmp_path, *parallel)
    assert result.returncode == 1
    assert result.stderr.count("the weights were not updated") == 4  # twice as it comes, twice in the list
    assert "2 runs failed" in result.stderr
    assert "Traceback" not in result.stderr
    assert "Warning" not in result.stderr
    assert result.stdout.count(" ends: valid auc") == 2
    used = {json.loads(path.read_text())["threads"] for path in tmp_path.glob("*/machine.json")}
    assert used == {max(1, len(os.sched_getaffinity(0)) // 2)}
    assert all("stage train: FM" in path.read_text() for path in tmp_path.glob("*/log.txt"))
    before = runs(tmp_path)
    alone = ["trainer.optimizer.lr=0.01", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1"]  # in the sweep's process
    again = sweep(tmp_path, *words, "seed=1,2,3", *alone)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("has finished already") == 2
    assert before.items() < runs(tmp_path).items()


@linux
@pytest.mark.usefixtures("joblib")
def test_one_of_the_runs_side_by_side_is_killed_and_then_the_sweep_is_stopped(tmp_path):
    process = endless(tmp_path, "seed=1,2,3", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    first, second = wait_for(lambda: len(found := has_trained(tmp_path)) == 2 and sorted(found))
    os.kill(holder(first.parents[1]), signal.SIGKILL)
    wait_for(lambda: len(has_trained(tmp_path)) == 3)
    os.killpg(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "1 run failed" in message
    assert "killed by SIGKILL" in message
    assert "stopped; the same command goes on" in message
    saved = {path.parents[3].name[-5:] for path in tmp_path.glob("*/train/checkpoints/step-*/manifest*")}
    assert saved == {"seed2", "seed3"}
    assert holder(second.parents[1]) is None


@linux
@pytest.mark.usefixtures("joblib")
def test_runs_side_by_side_do_not_outlive_their_sweep(tmp_path):
    process = endless(tmp_path, "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    logs = wait_for(lambda: len(found := has_trained(tmp_path)) == 2 and found)
    process.kill()
    process.communicate()
    wait_for(lambda: all(holder(log.parents[1]) is None for log in logs))


def test_submitit_runs_jobs_of_its_own(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="of the extra `launch`")
    words = [*SHORT, "trainer.optimizer.lr=0.01,1e30", "hydra/launcher=submitit_local"]
    result = sweep(tmp_path, *words)
    assert result.returncode == 1
    assert "1 run failed" in result.stderr
    assert len(runs(tmp_path)) == 1


def test_optuna_gets_the_score_and_is_told_of_failures(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    words = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.direction=maximize"]
    words += ["hydra.sweeper.sampler.seed=1", "hydra.sweeper.max_failure_rate=1.0"]
    result = sweep(tmp_path, *SHORT, *words, "trainer.optimizer.lr=choice(0.01,0.02,1e30)", "seed=1")
    assert result.returncode == 1
    assert "failed; the same command" in result.stderr
    best = (tmp_path / "optimization_results.yaml").read_text()
    scores = [json.loads(path.read_text())["valid"]["auc"] for path in tmp_path.glob("*/scores.json")]
    assert f"best_value: {max(scores)}" in best


def test_a_launcher_that_is_not_there_says_what_to_install(monkeypatch):
    try:
        import hydra_plugins.hydra_joblib_launcher  # noqa: F401
    except ImportError:
        result = python("train.py", "-m", *TINY, "seed=1,2", "hydra/launcher=joblib")
        assert result.returncode == 1
        assert "pip install" in result.stderr
        assert "Traceback" not in result.stderr
    else:
        pytest.skip("it is there")
