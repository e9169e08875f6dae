"""The commands, from outside, with device=cuda."""

import json

import pytest
import torch

from ctr.app import run_folder
from tests.app.compose import TINY, tiny_run
from tests.app.test_cli import python

SMALL = ["model.hidden_dims=[8]"]


def train(out, *words):
    done = python("train.py", *TINY, *words, f"hydra.run.dir={out}")
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("model", ["fnn", "deepfm", "nfm"])
def test_a_run_with_its_stages_ends_and_is_evaluated_again(tmp_path, model):
    train(tmp_path, f"model={model}", *SMALL, "device=cuda", *([] if model == "fnn" else ["stages=fm_pretrain"]))
    scores = run_folder.read_scores(tmp_path)
    assert {"valid", "test"} <= set(scores)
    assert scores["memory"]["cuda_mib"] > 0
    said = python("scripts/evaluate.py", str(tmp_path), "--split", "test")
    assert said.returncode == 0, said.stderr[-2000:]


def test_a_run_is_repeated_digit_for_digit(tmp_path):
    for name in ("one", "other"):
        tiny_run(tmp_path / name, "model=deepfm", *SMALL, "device=cuda")
    one, other = (run_folder.read_scores(tmp_path / name) for name in ("one", "other"))
    assert one["valid"] == other["valid"]
    assert one["test"] == other["test"]


def test_large_tables_are_trained_by_their_rows(tmp_path):
    words = ["dataset.vocabulary=20000", "model=deepfm", *SMALL, "device=cuda", "precision=bf16"]
    tiny_run(tmp_path, *words)
    assert run_folder.read_scores(tmp_path)["test"]["log_loss"] < 0.8


def test_a_sweep_of_two_runs_ends(tmp_path):
    done = python("train.py", "-m", *TINY, "device=cuda", "model=fm,nfm", f"hydra.sweep.dir={tmp_path}")
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(list(tmp_path.rglob("scores.json"))) == 2


def test_the_machine_is_named(tmp_path):
    tiny_run(tmp_path, "device=cuda")
    assert json.loads((tmp_path / "machine.json").read_text())["gpu"] == torch.cuda.get_device_name()
