"""The search from outside: its script, its page of documentation, and real runs that are killed with it."""

import csv
import re
import runpy
import shlex
import signal
import subprocess
import sys
import time

import pytest
import yaml

pytest.importorskip("optuna", reason="tuning needs Optuna: pip install -e '.[tune]'")

from ctr.app import run_folder
from ctr.app.tune import checking, reading, trials
from tests.app import fake_train
from tests.app.compose import TINY, tiny_run
from tests.app.test_cli import ENVIRONMENT, python
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "workflow" / "tune.md").read_text(encoding="utf-8")
LONG = ["dataset.num_train=20000", "trainer.max_steps=300", "trainer.max_epochs=9", "trainer.patience=null"]
DATA = [word for word in TINY if not word.startswith(("threads", "dataset.num_train"))]


def test_a_real_search_that_is_killed_with_its_run_ends_with_the_score_of_an_unkilled_one(tmp_path):
    page, out = tmp_path / "s.yaml", tmp_path / "out"
    fixed = ["model=fm", *DATA, *LONG, "trainer.save_every=7"]
    sweep = {"title": "t", "overrides": fixed, "space": {"model.embedding_dim": [3, 4]}, "sampler": "random"}
    page.write_text(yaml.safe_dump({**sweep, "trials": 1, "seeds": [3], "start": False}))
    command = ["scripts/tune.py", f"sweep={page}", "--out", str(out), "--processes", "64"]  # a thread a run
    search = subprocess.Popen([sys.executable, *command], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(out.glob("trials/*/seed3/train/checkpoints/step-*[1-9]*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    run = int(subprocess.check_output(["ps", "-o", "pid=", "--ppid", str(search.pid)], text=True))
    for kill in (search.send_signal, lambda number: subprocess.check_call(["kill", f"-{number}", str(run)])):
        kill(int(signal.SIGKILL))
    assert search.wait() == -signal.SIGKILL

    result = python(*command)
    assert result.returncode == 0, result.stderr
    (log,) = out.glob("trials/*/seed3.log")
    assert "going on from step" in log.read_text()
    (line,) = csv.DictReader((out / "trials.csv").open())
    assert line["state"] == "finished"
    assert "test" not in "".join(line)
    unkilled = tiny_run(
        tmp_path / "whole", *fixed, f"model.embedding_dim={line['model.embedding_dim']}", "seed=3", "threads=1"
    )
    assert float(line["valid auc"]) == unkilled

    shown = python("train.py", "--config-dir", str(out), "experiment=s_best", "--cfg", "job", "--resolve")
    assert shown.returncode == 0, shown.stderr
    best, tried = yaml.safe_load(shown.stdout), run_folder.read_config(log.with_suffix(""))
    for own in ("seed", "threads", "board"):
        best[own] = tried[own]
    for node in (best, *best["stages"].values()):
        node["trainer"]["seed"] = tried["seed"]
    assert best == tried


def test_the_commands_of_its_page_run(tmp_path, monkeypatch, capsys):
    def train(said, folder):
        return [sys.executable, fake_train.__file__, *said, f"hydra.run.dir='{folder.resolve()}'"]

    monkeypatch.setattr(trials, "train", train)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```bash\n(.*?)```", PAGE, flags=re.S)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    assert len(lines) >= 4
    for line in lines:
        words = shlex.split(line)
        assert words[:2] == ["python", "scripts/tune.py"]
        few = ["--trials", "2"] if not {"--list", "--report"} & set(words) else []
        monkeypatch.setattr(sys, "argv", [*words[1:], *few])
        if words[2:] == ["--list"]:
            runpy.run_path(str(ROOT / words[1]))["main"]()
            assert "nfm_frappe: NFM on Frappe" in capsys.readouterr().out
            continue
        with pytest.raises(SystemExit) as left:
            runpy.run_path(str(ROOT / words[1]))["main"]()
        assert left.value.code == 0, capsys.readouterr().out
    assert {path.parent.name for path in tmp_path.glob("outputs/tune/*/report.md")} == {"embedding_dim", "nfm_frappe"}


def test_the_sweeps_of_its_page_are_read(tmp_path, monkeypatch):
    monkeypatch.setenv("CTR_DATA", "somewhere")
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.S)
    assert len(blocks) >= 2
    for block in blocks:
        path = tmp_path / "s.yaml"
        path.write_text(block)
        sweep = reading.read(str(path))
        assert checking.bases(sweep).keys() == {member.name for member in sweep.members}


def test_every_sweep_that_is_shipped_is_on_its_page():
    for name in reading.names():
        assert f"| `{name}` |" in PAGE


def test_the_script_says_what_is_wrong():
    for words, message in {
        ("sweep=nfm_frape",): "did you mean 'nfm_frappe'",
        ("sweep=embedding_dim", "model.embeding_dim=3"): "did you mean 'embedding_dim'",
    }.items():
        result = python("scripts/tune.py", *words)
        assert result.returncode == 1
        assert message in result.stderr
        assert "Traceback" not in result.stderr
