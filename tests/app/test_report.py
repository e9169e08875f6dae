"""The page of finished runs: whole, alone, escaped, the same twice; and that it comes whatever is missing."""

import base64
import hashlib
import json
import re
import runpy
import shlex
import shutil
from html.parser import HTMLParser

import pytest
import yaml
from rich.console import Console

from ctr.app.baselines.run import run as baseline
from ctr.app.report.page import Request, write
from ctr.errors import UserError
from tests.app.compose import TINY, tiny_run
from tests.conftest import ROOT

VOID = {"meta", "br"}
SCRIPT = "<script>alert(1)</script>"


class Page(HTMLParser):
    """Open elements, text outside scripts and styles, and what the page would fetch."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.counts, self.links, self.rows = [], [], {}, [], []
        self.feed(text)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.counts[tag] = self.counts.get(tag, 0) + 1
        self.links += [value for name, value in attributes if name in ("src", "href", "xlink:href", "action", "data")]
        self.links += re.findall(r"url\((.*?)\)", " ".join(value or "" for _, value in attributes))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append(0)
        if tag in ("td", "th"):
            self.rows[-1] += 1

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.words.append(data)


def report(*roots, out, split="valid"):
    write(Request(roots, out, split, ()), lambda line: None)
    text = out.read_text(encoding="utf-8")
    return text, Page(text)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two models over two seeds, FNN with its FM stage, and a baseline."""
    out = tmp_path_factory.mktemp("runs")
    for seed in (1, 2):
        for name in ("fm", "deepfm"):
            tiny_run(out / f"{name}{seed}", f"model={name}", f"seed={seed}", "trainer.eval_every=5")
    tiny_run(out / "fnn", "model=fnn", "seed=1", "trainer.eval_every=5")
    data = [word for word in TINY if word.startswith("dataset.")]
    baseline("logistic_regression", [*data, "threads=1"], out / "baseline", Console(quiet=True))
    return out


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    return report(runs, out=tmp_path_factory.mktemp("page") / "report.html")


def test_the_page_is_well_formed_and_asks_nothing_of_anyone(page):
    text, parsed = page
    assert parsed.open == []
    assert text.startswith("<!doctype html>")
    assert all(link.startswith("#") for link in parsed.links)
    assert not re.search(r"@import|<link|<iframe|<img", text)
    assert re.search(r"default-src 'none'", text)


def test_its_one_script_is_the_one_that_its_policy_lets_run(page):
    text, parsed = page
    (script,) = re.findall(r"<script>(.*?)</script>", text, flags=re.S)
    assert parsed.counts["script"] == 1
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text


def test_the_same_runs_give_the_same_bytes(page, runs, tmp_path):
    assert report(runs, out=tmp_path / "again.html")[0] == page[0]


def test_what_was_found_and_every_section_is_on_it(page, runs):
    _, parsed = page
    assert "6 runs in 4 groups" in parsed.text
    for title in (
        "Scores",
        "Differences",
        "valid auc, stage train",
        "train loss, stage pretrain",
        "Reliability, valid",
        "auc by seconds",
        "auc by parameters",
        "model.hidden_dims",
        "model=deepfm",
    ):
        assert title in parsed.text
    stored = json.loads((runs / "fnn" / "scores.json").read_text())
    assert f"{stored['test']['log_loss']:.5f}" in parsed.text


def test_what_cannot_be_drawn_is_said(page):
    assert "Without records of their training, so without curves: LogisticRegression." in page[1].text
    assert "is the run of a baseline (scripts/baseline.py), which keeps scores and no weights" in page[1].text


def test_ids_are_unique_and_references_find_theirs(page):
    ids = re.findall(r'\bid="([^"]+)"', page[0])
    assert len(ids) == len(set(ids))
    assert {link.lstrip("#") for link in page[1].links} <= set(ids)


def test_strangers_text_is_escaped(runs, tmp_path):
    for name in ("fm1", "deepfm1", "fm2"):
        shutil.copytree(runs / name, tmp_path / "<b>" / name)
    evil = tmp_path / "<b>" / "fm1"
    (evil / "overrides.yaml").write_text(yaml.safe_dump(["model=fm", f"claim.source={SCRIPT}"]))
    config = yaml.safe_load((evil / "config.yaml").read_text())
    config["model"]["init_std"] = config["stages"]["train"]["model"]["init_std"] = SCRIPT
    config["trainer"]["order"] = SCRIPT
    (evil / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "<b>" / "fm2" / "scores.json").write_text('{"<script>": ')
    text, parsed = report(tmp_path, out=tmp_path / "report.html")
    assert parsed.counts["script"] == 1
    assert "<b>/" not in text
    assert parsed.text.count(SCRIPT) >= 3  # the command, the group's name, the settings


def test_runs_that_cannot_predict_are_named_and_the_page_comes(runs, tmp_path):
    for name in ("fm1", "deepfm1"):
        shutil.copytree(runs / name, tmp_path / name)
    shutil.rmtree(tmp_path / "fm1" / "train" / "checkpoints")
    (tmp_path / "deepfm1" / "train" / "metrics.jsonl").write_text('{"step": 5, "exam')
    _, parsed = report(tmp_path, out=tmp_path / "report.html")
    assert "fm1/train/checkpoints holds no checkpoint" in parsed.text
    assert "deepfm1/train/metrics.jsonl cannot be read" in parsed.text
    assert "Reliability, valid" in parsed.text


def test_without_predictions_no_run_is_opened(runs, tmp_path, monkeypatch):
    monkeypatch.setattr("ctr.app.predicted.predict", None)
    _, parsed = report(runs / "fm1", out=tmp_path / "report.html", split=None)
    assert "1 run in 1 group" in parsed.text
    assert "Calibration" not in parsed.text
    assert "There is one group, so nothing differs." in parsed.text


def test_skipped_folders_are_listed_with_the_reason(runs, tmp_path):
    shutil.copytree(runs / "fm1", tmp_path / "good")
    shutil.copytree(runs / "fm2", tmp_path / "stopped")
    (tmp_path / "stopped" / "scores.json").unlink()
    _, parsed = report(tmp_path, out=tmp_path / "report.html", split=None)
    assert "1 folder skipped" in parsed.text
    assert "its run has not finished" in parsed.text


def test_an_undefined_score_is_named_and_not_averaged(runs, tmp_path):
    for name in ("fm1", "fm2", "deepfm1"):
        shutil.copytree(runs / name, tmp_path / name)
    path = tmp_path / "fm2" / "scores.json"
    scores = json.loads(path.read_text())
    scores["valid"]["auc"] = scores["test"]["auc"] = float("nan")
    path.write_text(json.dumps(scores))
    _, parsed = report(tmp_path, out=tmp_path / "report.html")
    assert "undefined in 1 of 2" in parsed.text
    assert "No valid auc in 1 run, it is nan: FM, seed 2" in parsed.text


def test_a_rating_has_residuals_and_its_own_section(runs, tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("train", "valid", "test"):
        rows = "".join(f"{1 + (i * 7) % 5},u{i % 3},i{i % 7}\n" for i in range(200))
        (tmp_path / "data" / f"{split}.csv").write_text(f"label,user,item\n{rows}")
    shutil.copytree(runs / "fm1", tmp_path / "runs" / "clicks")
    tiny_rating(tmp_path)
    _, parsed = report(tmp_path / "runs", out=tmp_path / "report.html")
    assert "Scores of other rows, tasks or metrics are not compared" in parsed.text
    assert "Label by prediction, valid" in parsed.text
    assert "prediction - label" in parsed.text


def tiny_rating(folder):
    from ctr.app import stages
    from tests.app.compose import config

    words = ["model=fm", "dataset=table", f"dataset.root={folder / 'data'}", f"dataset.cache={folder / 'cache'}"]
    words += ["dataset.fields={user: categorical, item: categorical}", "task=regression", "trainer=debug", "threads=1"]
    stages.run(config(*words), folder / "runs" / "rating", words, Console(quiet=True))


def test_nothing_finished_is_said_and_no_page_is_written(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        report(tmp_path, out=tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


COMMANDS = re.findall(r"^python (.*?)(?: +#.*)?$", (ROOT / "docs/workflow/report.md").read_text(), flags=re.M)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_of_its_page_run(command, runs, tmp_path, monkeypatch, capsys):
    shutil.copytree(runs / "fm1", tmp_path / "outputs" / "fm1")
    monkeypatch.chdir(tmp_path)
    script, *words = shlex.split(command)
    monkeypatch.setattr("sys.argv", [script, *words])
    runpy.run_path(str(ROOT / script), run_name="__main__")
    where = words[words.index("--out") + 1] if "--out" in words else "outputs/report.html"
    assert capsys.readouterr().out.splitlines()[-1] == f"page  {where}"
    assert (tmp_path / where).exists()
