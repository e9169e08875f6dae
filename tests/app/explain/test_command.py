"""The command on finished runs: what docs/workflow/explain.md says runs, and what cannot be explained says why."""

import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pandas as pd
import pytest

from ctr.data import from_frames
from tests.app.compose import tiny_run
from tests.conftest import ROOT

DOCS = (ROOT / "docs/workflow/explain.md").read_text(encoding="utf-8")
COMMANDS = [line.split("  #")[0].strip() for block in re.findall(r"```bash\n(.*?)```", DOCS, flags=re.S)
            for line in block.splitlines()]  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    tiny_run(out / "fm" / "1", "model=fm", "seed=1")
    tiny_run(out / "fm" / "2", "model=fm", "seed=2")
    tiny_run(out / "fnn", "model=fnn")
    tiny_run(out / "regression", "model=deepfm", "task=regression")
    return out


def explain(*arguments: str, monkeypatch, capsys) -> str:
    """What the script prints; its error where it ends with one."""
    monkeypatch.setattr(sys, "argv", ["explain.py", *arguments])
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    try:
        runpy.run_path(str(ROOT / "scripts/explain.py"), run_name="__main__")
    except SystemExit:
        return capsys.readouterr().err
    return capsys.readouterr().out


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_the_docs_run(command, runs, tmp_path, monkeypatch, capsys):
    places = {"outputs/synthetic/fm": str(runs / "fm"), "<run>": str(runs / "fm" / "2"), "field_1=12": "field_1=id 12"}
    words = [places.get(word, word) for word in shlex.split(command)]
    assert words[:2] == ["python", "scripts/explain.py"]
    printed = explain(*words[2:], "--out", str(tmp_path), monkeypatch=monkeypatch, capsys=capsys)
    assert f"written to {tmp_path}" in printed.replace("\n", "")


def test_the_python_of_the_docs_runs(capsys):
    frame = pd.DataFrame({"label": [1, 0], "user": ["ann", "bob"]})
    known = {"data": from_frames(frame, frame, frame, fields={"user": "categorical"})}
    for block in re.findall(r"```python\n(.*?)```", DOCS, flags=re.S):
        exec(block, known)  # noqa: S102
    assert "field='user', token='ann', count=1" in capsys.readouterr().out


def test_seeds_are_explained_together(runs, monkeypatch, capsys):
    printed = explain(str(runs / "fm"), "--repeats", "2", monkeypatch=monkeypatch, capsys=capsys)
    out = runs / "fm" / "explain"
    page = (out / "explain.md").read_text()
    assert "2 runs, seed 1, 2; all 500 rows of valid" in page
    assert "over 2 seeds" in page
    assert "all of the model's interactions" in page
    fields = pd.read_csv(out / "fields.csv")
    assert sorted(fields.field) == [f"field_{i}" for i in range(4)]
    assert (fields.low <= fields["drop of auc"]).all()
    assert fields["drop of auc"].is_monotonic_decreasing
    assert len(pd.read_csv(out / "pairs_terms.csv")) == len(pd.read_csv(out / "pairs_ablation.csv")) == 6
    assert {path.name for path in out.glob("*.png")} == {"fields.png", "pairs_terms.png", "pairs_ablation.png"}
    for picture in re.findall(r"\]\((.*?)\)", page):
        assert (out / picture).stat().st_size > 1000
    assert "pairs by ablation, in logits" in printed
    shutil.rmtree(out)


def test_a_chain_of_stages_and_a_regression(runs, tmp_path, monkeypatch, capsys):
    explain(str(runs / "fnn"), "--out", str(tmp_path / "fnn"), monkeypatch=monkeypatch, capsys=capsys)
    page = (tmp_path / "fnn" / "explain.md").read_text()
    assert page.startswith("# What FM -> FNN on synthetic goes by")
    assert "5 shuffles of one run, not over seeds" in page
    assert not (tmp_path / "fnn" / "pairs_terms.csv").exists()
    run, out = str(runs / "regression"), str(tmp_path / "regression")
    explain(run, "--rows", "200", "--repeats", "1", "--out", out, monkeypatch=monkeypatch, capsys=capsys)
    page = Path(out, "explain.md").read_text()
    assert "200 rows, drawn from 500 of valid" in page
    assert "rise of rmse" in page
    assert "In units of the prediction" in page
    assert "FM part only" in page
    assert "low" in pd.read_csv(Path(out, "fields.csv"))
    printed = explain(run, "--row", "0", "--out", out, monkeypatch=monkeypatch, capsys=capsys)
    assert "approximate, by occlusion" in printed
    assert "**Approximate**" in Path(out, "row_valid_0.md").read_text()


def test_the_parts_of_a_row_in_the_file_sum_to_what_is_printed(runs, tmp_path, monkeypatch, capsys):
    run = str(runs / "fm" / "1")
    printed = explain(run, "--row", "7", "--split", "test", "--out", str(tmp_path), monkeypatch=monkeypatch,
                      capsys=capsys)  # fmt: skip
    total = pd.read_csv(tmp_path / "row_test_7.csv").contribution.sum()
    assert total == pytest.approx(float(re.search(r"returns (-?[\d.]+)", printed)[1]), abs=2e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([""], "3 configs were found, and only runs that differ in the seed alone are explained together"),
        (["fm/1", "--row", "500"], "--row: valid has the rows 0 to 499, found 500"),
        (["fm/1", "--nearest", "field_9=id 1"], "there is no field 'field_9'.*did you mean 'field_"),
        (
            ["fm/1", "--nearest", "field_1=id 77"],
            "field 'field_1' has no feature 'id 77' in train; did you mean 'id 7'",
        ),
        (["fm/1", "--rows", "0"], "--rows, --repeats and --count must be at least 1"),
        (["nowhere"], "no finished run"),
    ],
)
def test_what_cannot_be_explained_says_why(arguments, message, runs, tmp_path, monkeypatch, capsys):
    first, *others = arguments
    told = explain(str(runs / first), *others, "--out", str(tmp_path / "o"), monkeypatch=monkeypatch, capsys=capsys)
    assert re.search(message, told, flags=re.S), told
    assert not (tmp_path / "o").exists()


def test_runs_that_cannot_be_read_are_named(runs, tmp_path, monkeypatch, capsys):
    shutil.copytree(runs / "fm" / "1", tmp_path / "good")
    shutil.copytree(runs / "fm" / "1", tmp_path / "stopped")
    (tmp_path / "stopped" / "scores.json").unlink()
    printed = explain(str(tmp_path), "--nearest", "3", monkeypatch=monkeypatch, capsys=capsys)
    assert f"left out: {tmp_path / 'stopped'} has no scores.json" in printed.replace("\n", "")
