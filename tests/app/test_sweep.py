"""Sweeps from outside: what fails does not stop the rest, and the same command does what is missing."""

import json
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from ctr.app import run_folder
from ctr.app.sweep import failures
from ctr.app.sweep.child import Outcome
from ctr.errors import UserError
from tests.app.compose import TINY, tiny_run
from tests.app.test_cli import ENVIRONMENT, python
from tests.conftest import ROOT

SHORT = [*TINY, "trainer.max_steps=3"]


def sweep(folder, *words, **environment):
    return python("train.py", "-m", *words, f"hydra.sweep.dir={folder}", **environment)


def runs(folder):
    """The finished ones, by name, with the time at which each was written."""
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/scores.json")}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Two models that learn and two that cannot: its folder, and how it ended."""
    folder = tmp_path_factory.mktemp("sweep")
    return folder, sweep(folder, *SHORT, "model=fm,nfm", "seed=1", "trainer.optimizer.lr=0.01,1e30")


def test_all_failures_are_listed_at_the_end_and_stop_nothing(swept):
    folder, result = swept
    assert result.returncode == 1
    assert len(runs(folder)) == 2
    listing = result.stderr[result.stderr.index("2 runs failed") :]
    for model in ("fm", "nfm"):
        assert len(re.findall(rf"synthetic-{model}-\S*lr1e\+30", listing)) == 3  # its name, its folder, its command
    assert listing.count("the weights were not updated") == 2
    assert "Traceback" not in result.stderr
    assert "Mean ± standard deviation" in result.stdout  # below the table of the others
    assert f"python scripts/compare.py {folder}" in result.stdout


def test_the_command_that_is_given_repeats_a_failure_alone(swept):
    folder, _ = swept
    record = json.loads(next(folder.glob(f"*nfm*/{failures.FAILED}")).read_text())
    again = python(*shlex.split(record["command"])[1:])
    assert again.returncode == 1
    assert record["cause"] in again.stderr


def test_it_says_where_the_configs_are(tmp_path):
    (tmp_path / "own configs" / "experiment").mkdir(parents=True)
    page = "# @package _global_\ntrainer: {clip_norm: -1}\n"
    (tmp_path / "own configs" / "experiment" / "mine.yaml").write_text(page)
    (tmp_path / "more" / "model").mkdir(parents=True)
    (tmp_path / "more" / "model" / "fm_too.yaml").write_text((ROOT / "configs/model/fm.yaml").read_text())
    flags = ["--config-dir", str(tmp_path / "own configs"), f"hydra.searchpath=[file://{tmp_path / 'more'}]"]
    result = sweep(tmp_path / "sweep", *flags, *SHORT, "experiment=mine", "model=fm_too", "seed=1,2")
    assert result.returncode == 1
    record = json.loads(next(tmp_path.glob(f"sweep/*seed2/{failures.FAILED}")).read_text())
    assert "clip_norm must be null or positive" in record["cause"]
    again = python(*shlex.split(record["command"])[1:])
    assert record["cause"] in again.stderr


def test_another_value_finds_the_runs_that_are_there(swept):
    folder, _ = swept
    before = runs(folder)
    result = sweep(folder, "seed=1,2", "trainer.optimizer.lr=0.01", "model=fm,nfm", *reversed(SHORT))
    assert result.returncode == 0, result.stderr
    assert result.stdout.count("has finished already: valid auc") == 2
    after = runs(folder)
    assert len(after) == 4
    assert before.items() <= after.items()


def test_a_finished_run_of_another_config_is_not_taken_for_this_one(swept):
    folder, _ = swept
    name = next(path for path in folder.glob("*-fm-*lr0.01*seed1"))
    stored = (name / "config.yaml").read_text()
    (name / "config.yaml").write_text(stored.replace("clip_norm: 10.0", "clip_norm: 9.0"))
    result = sweep(folder, *SHORT, "model=fm", "seed=1", "trainer.optimizer.lr=0.01")
    (name / "config.yaml").write_text(stored)
    assert result.returncode == 1
    assert "clip_norm: 9.0 there, 10.0 now" in result.stderr
    assert "1 run failed" in result.stderr  # and not those of earlier calls, whose records are there yet


def test_the_same_words_lead_to_the_same_folder_and_others_to_another(tmp_path):
    words = ["model=fm", *TINY, "trainer.max_steps=1"]
    found = []
    for said in (words, words[::-1], [*words, "seed=5"]):
        result = python("-c", WHERE, "-m", *said)
        found.append(result.stdout.strip().splitlines()[-1])
    assert found[0] == found[1] != found[2]
    assert found[0].startswith("outputs/multirun/")
    assert "model_fm" in found[0]


# a sweep that ends before its first job, and says where it would have been
WHERE = f"""
import sys
from pathlib import Path
from ctr.app.cli import train
from ctr.app.sweep.start import Sweep
def stop(self, config, **_):
    print(config.hydra.sweep.dir)
    sys.exit()
Sweep.on_multirun_start = stop
train(Path({str(ROOT / "configs")!r}))
"""


def test_a_sweep_imports_no_torch_in_its_own_process():
    code = WHERE.replace("print(config.hydra.sweep.dir)", "import ctr.app.sweep.job; print('torch' in sys.modules)")
    assert python("-c", code, "-m", "seed=1,2").stdout.strip() == "False"


def test_a_finished_run_is_known_by_its_config(tmp_path):
    tiny_run(tmp_path, "trainer.max_steps=2")
    stored = run_folder.read_config(tmp_path)
    scores = run_folder.read_scores(tmp_path)
    assert run_folder.finished(tmp_path, stored) == scores["valid"]["auc"]
    longer = yaml.safe_load(yaml.safe_dump(stored))
    longer["trainer"]["max_steps"] = longer["stages"]["train"]["trainer"]["max_steps"] = 4
    assert run_folder.finished(tmp_path, longer) is None  # it goes on
    with pytest.raises(UserError, match="seed: 1 there, 2 now"):
        run_folder.finished(tmp_path, {**stored, "seed": 2})
    with pytest.raises(UserError, match="new_key: None there, 3 now"):
        run_folder.finished(tmp_path, {**stored, "new_key": 3})
    assert run_folder.finished(tmp_path / "nothing", stored) is None


def test_only_failures_of_this_call_are_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("CTR_SWEEP", "1-before")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        failures.record(tmp_path / name, ["seed=1"], Outcome(cause="no reason"))
    monkeypatch.setenv("CTR_SWEEP", "1-now")
    failures.record(tmp_path / "b", ["seed=2", "model.hidden_dims=[8, 8]"], Outcome(cause="why", traceback="line"))
    found = failures.of_sweep(tmp_path)
    assert [folder.name for folder in found] == ["b"]
    text = failures.listing(found)
    assert "b: why" in text
    assert "'model.hidden_dims=[8, 8]'" in text
    assert failures.FAILED in text  # where the traceback is
    failures.forget(tmp_path / "b")
    assert not failures.of_sweep(tmp_path)


# never evaluated: a checkpoint is there only if the stop has made it
ENDLESS = [
    *TINY,
    "trainer.max_steps=1000000",
    "trainer.max_epochs=1000000",
    "trainer.eval_every=1000000",
]


def endless(folder, *words, python=sys.executable):
    """A sweep without an end, in a group of processes of its own, where Ctrl-C is not ignored."""
    code = "import signal, sys, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "
    code += "sys.argv = sys.argv[1:]; runpy.run_path('train.py', run_name='__main__')"
    return subprocess.Popen(
        [python, "-c", code, "train.py", "-m", *ENDLESS, *words, f"hydra.sweep.dir={folder}"],
        cwd=ROOT,
        env=ENVIRONMENT,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)
    return found


def has_trained(folder):
    return [path for path in folder.glob("*/train/metrics.jsonl") if path.stat().st_size]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sweep_has_saved_its_run_and_begins_no_other(tmp_path, number):
    """Ctrl-C as a terminal sends it, to every process; SIGTERM as a scheduler does, to one."""
    process = endless(tmp_path, "seed=1,2")
    wait_for(lambda: has_trained(tmp_path))
    if number == signal.SIGINT:
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert "stopped; the same command goes on" in message
    assert "Traceback" not in message
    assert list(tmp_path.glob("*seed1/train/checkpoints/step-*/manifest*"))
    assert not list(tmp_path.glob("*seed2"))
    assert not list(tmp_path.glob(".stop*"))


def holder(folder):
    """The process that holds a run's lock."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if Path(os.readlink(link)) == folder / ".lock":
                return int(link.parts[2])
    return None


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="finds processes in /proc")


@linux
def test_a_run_that_is_killed_is_listed_and_the_others_go_on(tmp_path):
    process = endless(tmp_path, "seed=1,2")
    for seed, number in {1: signal.SIGKILL, 2: signal.SIGTERM}.items():
        (log,) = wait_for(lambda: list(tmp_path.glob(f"*seed{seed}/train/metrics.jsonl")))  # noqa: B023
        os.kill(holder(log.parents[1]), number)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 1
    listing = message[message.index("2 runs failed") :]
    assert "seed1: its process was killed by SIGKILL, as the system does when memory is short" in listing
    assert "seed2: stopped at step" in listing


@linux
def test_a_run_does_not_outlive_its_sweep(tmp_path):
    process = endless(tmp_path, "seed=1,2")
    (log,) = wait_for(lambda: has_trained(tmp_path))
    process.kill()
    process.communicate()
    wait_for(lambda: holder(log.parents[1]) is None)
    assert list(log.parent.glob("checkpoints/step-*/manifest*"))  # and has saved its state


@linux
def test_a_sweep_that_is_killed_at_random_moments_ends_with_the_same_scores():
    result = python("benchmarks/sweep_kills.py", "--kills=2")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "kill 2: " in result.stdout
    assert "the tables are equal" in result.stdout


def test_the_benchmark_of_kills_sees_a_difference(tmp_path):
    scores = runpy.run_path(str(ROOT / "benchmarks/sweep_kills.py"))["scores"]
    found = []
    for auc, seconds in ((0.7, 1), (0.7, 2), (0.7000000000000001, 1)):
        (tmp_path / "run").mkdir(exist_ok=True)
        stage = {"steps": 3, "seconds": seconds}
        (tmp_path / "run/scores.json").write_text(json.dumps({"test": {"auc": auc}, "stages": {"train": stage}}))
        found.append(scores(tmp_path))
    assert found[0] == found[1] != found[2]
