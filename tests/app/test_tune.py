"""A search from nothing to its report, with a train.py that is a fake; killed, stopped, failing, gone on with."""

import csv
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytest.importorskip("optuna", reason="tuning needs Optuna: pip install -e '.[tune]'")

from ctr.app import processes
from ctr.app.tune import checking, command, reading, trials
from ctr.errors import UserError
from tests.app import fake_train

SWEEP = {
    "title": "A small search",
    "overrides": ["model=fm"],
    "space": {"model.embedding_dim": [4, 7, 8, 10], "trainer.optimizer.lr": {"low": 1.0e-4, "high": 0.1, "log": True}},
    "trials": 6,
    "seeds": [11, 12],
}


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    def train(said, folder):
        return [sys.executable, fake_train.__file__, *said, f"hydra.run.dir='{folder.resolve()}'"]

    monkeypatch.setattr(trials, "train", train)


def request(tmp_path, processes=1, trials=None, name="s", overrides=(), **changes) -> command.Request:
    page = tmp_path / f"{name}.yaml"
    page.write_text(yaml.safe_dump({**SWEEP, **changes}, sort_keys=False))
    return command.Request(str(page), tuple(overrides), trials, processes, tmp_path / "out", "python scripts/tune.py")


def tune(tmp_path, run=True, retry=False, **changes):
    """What it said, and the lines of its table."""
    said = []
    _, stopped = command.tune(request(tmp_path, **changes), said.append, run=run, retry=retry)
    assert stopped is None
    return said, table(tmp_path)


def table(tmp_path) -> list[dict]:
    return list(csv.DictReader((tmp_path / "out" / "trials.csv").open()))


def work(tmp_path) -> dict[str, list[str]]:
    """The evaluations that each run has really made."""
    return {
        str(path.parent.relative_to(tmp_path / "out")): path.read_text().split()
        for path in sorted((tmp_path / "out").glob("trials/*/*/work"))
    }


def test_a_trial_is_the_mean_of_its_seeds_and_the_best_one_is_written(tmp_path):
    said, lines = tune(tmp_path)
    assert [line["state"] for line in lines] == ["finished"] * 6
    assert sorted(int(line["trial"]) for line in lines) == list(range(6))
    for line in lines:
        dim, lr = int(line["model.embedding_dim"]), float(line["trainer.optimizer.lr"])
        each = [fake_train.score(dim, lr, seed, fake_train.EVALUATIONS) for seed in (11, 12)]
        assert float(line["valid auc"]) == pytest.approx(statistics.mean(each))
        assert float(line["sd"]) == pytest.approx(statistics.stdev(each))
        assert (line["seeds"], line["epochs"], line["seconds"]) == ("2", "10", "20.0")
    scores = [float(line["valid auc"]) for line in lines]
    assert scores == sorted(scores, reverse=True)

    first = next(line for line in lines if line["trial"] == "0")
    assert first["trainer.optimizer.lr"] == "0.001", "the first trial is the config's own"
    assert first["model.embedding_dim"] == "10"
    page = (tmp_path / "out" / "experiment" / "s_best.yaml").read_text()
    assert yaml.safe_load(page)["model"]["embedding_dim"] == int(lines[0]["model.embedding_dim"])
    assert f"valid auc {scores[0]:.5f} ± " in page
    assert "experiment=s_best seed=1,2,3,4,5" in said[-1]
    report = (tmp_path / "out" / "report.md").read_text()
    assert "| s | 6 | 6 finished | 12 | 60 | 120 s |" in report.replace("2 min", "120 s")
    for file in ("importance.png", "s-slices.png"):
        assert (tmp_path / "out" / file).stat().st_size > 1000
        assert f"({file})" in report
    assert not list((tmp_path / "out").glob("trials/*/*/train/checkpoints")), "an ended trial needs none"


def test_a_search_whose_budget_is_spent_does_nothing_more_and_can_be_given_more(tmp_path):
    _, before = tune(tmp_path, trials=2)
    made = work(tmp_path)
    _, again = tune(tmp_path, trials=2)
    assert (again, work(tmp_path)) == (before, made)
    _, more = tune(tmp_path, trials=3)
    assert len(more) == 3
    assert {line["folder"] for line in before} < {line["folder"] for line in more}
    with pytest.raises(UserError, match="has 3 trials already; --trials can only grow"):
        tune(tmp_path, trials=1)


CHANGES = [
    (
        {"space": {"model.embedding_dim": [4, 8, 10]}},
        r"models.s.space.model.embedding_dim: 4, 7, 8, 10 there, 4, 8, 10",
    ),
    ({"seeds": [11]}, r"seeds: \[11, 12\] there, \[11\] now"),
    ({"overrides": ["model=fm", "trainer.clip_norm=5"]}, r"models.s.overrides: \['model=fm'\] there"),
    ({"sampler": "random"}, "sampler.name: tpe there, random now"),
]


@pytest.mark.parametrize(("change", "message"), CHANGES)
def test_another_search_does_not_go_on_in_the_folder(tmp_path, change, message):
    with pytest.raises(UserError, match="holds no search"):
        tune(tmp_path, run=False)
    (tmp_path / "out").mkdir()
    sweep = reading.read(request(tmp_path).sweep)
    command._keep(tmp_path / "out", sweep, checking.bases(sweep))
    with pytest.raises(UserError, match=message):
        tune(tmp_path, **change)


def test_a_config_that_has_changed_since_is_refused_too(tmp_path):
    (tmp_path / "out").mkdir()
    sweep = reading.read(request(tmp_path).sweep)
    bases = checking.bases(sweep)
    command._keep(tmp_path / "out", sweep, bases)
    bases["s"].config["trainer"]["max_epochs"] = 7
    with pytest.raises(UserError, match=r"configs.s.trainer.max_epochs: 100 there, 7 now"):
        command._keep(tmp_path / "out", sweep, bases)


def grid(*dims, **changes):
    fixed = {"overrides": ["model=fm", "trainer.optimizer.lr=0.01"], "space": {"model.embedding_dim": list(dims)}}
    return {**fixed, "sampler": "grid", "trials": 9, **changes}


def test_what_fails_is_listed_with_its_cause_counts_and_ends_nothing(tmp_path):
    said, lines = tune(tmp_path, **grid(4, 5, 6, 8))
    state = {line["model.embedding_dim"]: (line["state"], line["cause"]) for line in lines}
    assert state == {
        "8": ("finished", ""),
        "4": ("finished", ""),
        "5": ("failed", "seed 11: error: dropout must be below 1"),
        "6": ("failed", "valid auc is no number for seed 11, 12"),
    }
    assert "dropout must be below 1" in said[-1]
    assert "2 finished, 2 failed" in said[-1]
    assert "--retry" in said[-1]
    assert "dropout must" in (tmp_path / "out" / "report.md").read_text()


def test_a_failure_is_tried_again_where_one_asks_for_it(tmp_path, monkeypatch):
    _, lines = tune(tmp_path, **grid(4, 5, 8))
    made = work(tmp_path)
    assert tune(tmp_path, **grid(4, 5, 8))[1] == lines
    monkeypatch.setattr(fake_train, "__file__", mended(tmp_path))
    _, lines = tune(tmp_path, retry=True, **grid(4, 5, 8))
    assert [(line["model.embedding_dim"], line["state"]) for line in lines] == [
        ("8", "finished"),
        ("5", "finished"),
        ("4", "finished"),
    ]
    assert {folder: work(tmp_path)[folder] for folder in made} == made


def mended(tmp_path) -> str:
    path = tmp_path / "mended.py"
    path.write_text(Path(fake_train.__file__).read_text().replace("FAILS, NAN = 5, 5, 6", "FAILS, NAN = 5, 0, 0"))
    return str(path)


def test_a_search_whose_first_trials_all_fail_stops_there(tmp_path, monkeypatch):
    broken = tmp_path / "broken.py"
    broken.write_text("import sys; sys.exit('error: there is no folder data/frappe')")
    monkeypatch.setattr(fake_train, "__file__", str(broken))
    said, lines = tune(tmp_path, trials=20)
    assert [line["state"] for line in lines] == ["failed"] * 3
    assert "no trial has finished (3 failed)" in said[-1]
    assert "there is no folder data/frappe" in said[-1]


def test_settings_that_are_drawn_twice_are_run_once(tmp_path):
    _, lines = tune(tmp_path, **grid(4, 8, sampler="random", trials=8, start=False))
    assert len(lines) == 8
    assert len(work(tmp_path)) == 4
    assert sum(bool(line["same_as"]) for line in lines) == 6
    assert len({line["valid auc"] for line in lines}) == 2
    assert sum(int(line["epochs"] or 0) for line in lines) == 4 * fake_train.EVALUATIONS


def test_a_trial_behind_the_median_is_stopped_and_its_score_was_the_valid_one(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.3")
    pruner = {"name": "median", "startup": 1, "warmup": 1}
    _, lines = tune(tmp_path, **grid(10, 20, 30, pruner=pruner, sampler="random", trials=4, start=True))
    pruned = [line for line in lines if line["state"] == "pruned"]
    assert pruned
    assert "10" not in {line["model.embedding_dim"] for line in pruned}
    assert {line["trial"] for line in lines if line["state"] == "finished"} >= {"0"}
    for line in pruned:
        assert int(line["epochs"] or 0) < fake_train.EVALUATIONS
        folder = tmp_path / "out" / "trials" / line["folder"]
        assert not (folder / "seed12").exists(), "no other seed was begun"


def test_a_comparison_gives_every_model_the_same_and_says_what_each_took(tmp_path):
    models = {
        "wide": {"overrides": ["model=fm"]},
        "narrow": {"overrides": ["model=fm"], "space": {"model.embedding_dim": [4, 10]}},
    }
    changes = {"models": models, "overrides": ["trainer.clip_norm=5"], "trials": 3}
    said, lines = tune(tmp_path, processes=2, **changes)
    assert sorted(line["model"] for line in lines) == ["narrow"] * 3 + ["wide"] * 3
    assert "experiment=s_wide,s_narrow seed=1,2,3,4,5" in said[-1]
    report = (tmp_path / "out" / "report.md").read_text()
    assert "Each model was given 3 trials, seeds 11, 12, no pruner, tpe." in report
    assert report.count("### ") == 2
    for name in ("s_wide", "s_narrow"):
        assert (tmp_path / "out" / "experiment" / f"{name}.yaml").exists()


def test_two_objectives_have_a_front(tmp_path):
    _, lines = tune(tmp_path, **grid(4, 7, 8, 10, objectives=["score", "parameters"]))
    front = {line["model.embedding_dim"]: line["front"] for line in lines}
    assert front == {"8": "True", "7": "True", "4": "True", "10": "False"}


# --- killed and gone on with ---


def search_in_a_process(wanted: command.Request) -> int:
    """The id of a process that searches."""
    if pid := os.fork():
        return pid
    try:
        command.tune(wanted, lambda line: None)
        os._exit(0)
    except BaseException as error:
        print(f"the search has failed: {error!r}", file=sys.stderr, flush=True)
        os._exit(1)


def settled(line: dict[str, str]) -> dict[str, str]:
    """A trial's line without how far a pruned run came before the signal reached it."""
    left_open = ("epochs", "seconds") if line["state"] == "pruned" else ()
    return {key: value for key, value in line.items() if key not in left_open}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process that is forked")
def test_a_search_that_is_killed_again_and_again_ends_as_one_that_never_was(tmp_path, monkeypatch):
    """Runs outlive the search that began them, so every kill leaves one behind, to be waited for."""
    changes = {"trials": 10, "pruner": {"name": "median", "startup": 3}, "sampler": {"name": "tpe", "startup": 4}}
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        folder.mkdir()
    found = checking.bases(reading.read(request(whole, **changes).sweep))
    monkeypatch.setattr(checking, "bases", lambda sweep, trust: found)
    _, expected = tune(whole, **changes)
    assert {line["state"] for line in expected} == {"finished", "pruned"}

    draw, kills = random.Random(0), 0
    for _ in range(20):
        pid = search_in_a_process(request(killed, **changes))
        time.sleep(draw.uniform(0.0, 0.6))
        os.kill(pid, signal.SIGKILL)
        kills += os.waitpid(pid, 0)[1] == signal.SIGKILL
    assert kills >= 5
    _, lines = tune(killed, **changes)
    assert len(lines) == 10
    assert list(map(settled, lines)) == list(map(settled, expected))
    for folder, steps in work(killed).items():
        assert steps == sorted(set(steps)), f"{folder} has repeated an evaluation"


def test_a_run_that_has_outlived_its_search_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.2")
    changes = grid(8, 10, seeds=[11], trials=1)
    sweep = reading.read(request(tmp_path, **changes).sweep)
    settings = {"model.embedding_dim": 8}
    place = processes.Place(tmp_path / "out" / "trials" / sweep.members[0].folder(settings) / "seed11")
    words = [*sweep.members[0].words(settings), "seed=11", "threads=1"]
    orphan = processes.start(trials.train(words, place.folder), place, 1)
    while not (place.folder / ".lock").exists():
        time.sleep(0.01)
    _, lines = tune(tmp_path, **{**changes, "trials": 2})
    assert orphan.process.wait() == 0
    assert {line["state"] for line in lines} == {"finished"}
    assert (place.folder / "work").read_text().split() == list("12345")


def test_ctrl_c_lets_runs_save_and_the_same_command_goes_on(tmp_path, monkeypatch):
    monkeypatch.setenv("FAKE_PAUSE", "0.1")

    def interrupt(line: str) -> None:
        if line.startswith("[1/4]"):
            os.kill(os.getpid(), signal.SIGINT)

    _, stopped = command.tune(request(tmp_path, processes=2, trials=4), interrupt)
    assert stopped == signal.SIGINT
    assert any(line["state"] == "running" for line in table(tmp_path))
    monkeypatch.setenv("FAKE_PAUSE", "0.01")
    _, lines = tune(tmp_path, processes=2, trials=4)
    assert [line["state"] for line in lines] == ["finished"] * 4
    assert all(steps == list("12345") for steps in work(tmp_path).values())
    assert json.loads((tmp_path / "out" / "trials" / lines[0]["folder"] / "seed11" / "scores.json").read_text())


def test_two_searches_do_not_share_a_folder(tmp_path):
    from filelock import FileLock

    (tmp_path / "out").mkdir()
    with FileLock(tmp_path / "out" / ".lock"), pytest.raises(UserError, match="another process is tuning in"):
        tune(tmp_path)


def test_help_comes_without_importing_torch_or_optuna():
    code = "import runpy, sys; sys.argv = ['x', '--help']\ntry: runpy.run_path('scripts/tune.py', None, '__main__')"
    code += "\nexcept SystemExit: pass\nprint('torch' in sys.modules or 'optuna' in sys.modules)"
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, timeout=60).stdout
    assert "usage" in said
    assert said.strip().endswith("False")
