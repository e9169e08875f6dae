"""Finished runs, found and put together: what counts, what is skipped and said, what a group is called."""

import json
import shutil

import pytest

from ctr.app import results
from ctr.app.predicted import predict
from ctr.errors import UserError
from ctr.metrics import METRICS, score
from tests.app.compose import tiny_run, written_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """FM with seeds 1, 2 and 2 again, FM of another width, and NFM."""
    out = tmp_path_factory.mktemp("runs")
    for name, overrides in {
        "a": ["model=fm", "seed=1"],
        "b": ["model=fm", "seed=2"],
        "b again": ["model=fm", "seed=2"],
        "wide": ["model=fm", "seed=1", "model.embedding_dim=16"],
        "nfm": ["model=nfm", "seed=1"],
    }.items():
        tiny_run(out / name, *overrides)
    return out


def test_runs_that_differ_in_the_seed_alone_are_a_group_named_by_what_sets_it_apart(runs):
    found = results.find([runs])
    named = {group.name: sorted(group.by_seed) for group in results.groups(found.results)}
    assert named == {"FM, embedding_dim=10": [1, 2], "FM, embedding_dim=16": [1], "NFM": [1]}
    assert found.skipped == {runs / "b": f"{runs / 'b again'} is a newer run of the same config and seed"}


def test_settings_that_always_go_together_are_named_once(tmp_path):
    for rate in ("0.1", "0.2"):
        written_run(tmp_path / rate, ["model=fm", f"trainer.optimizer.lr={rate}"], 1, {"auc": 0.5})
    assert sorted(one.name for one in results.groups(results.find([tmp_path]).results)) == ["FM, lr=0.1", "FM, lr=0.2"]
    written_run(
        tmp_path / "own", ["model=fm", "trainer.optimizer.lr=0.1", "trainer.groups.linear.lr=0.2"], 1, {"auc": 0.5}
    )
    names = [one.name for one in results.groups(results.find([tmp_path]).results)]
    assert "FM, optimizer.lr=0.1, linear.lr=0.2" in names


def test_differences_leave_out_the_seed_and_a_stages_copies(runs):
    a, b, wide = (results.read(runs / name) for name in ("a", "b", "wide"))
    assert results.differences(a, b) == {}
    assert results.differences(a, wide) == {"model.embedding_dim": [10, 16]}


def test_what_cannot_be_read_is_named_and_not_counted(runs, tmp_path):
    for name in ("good", "unfinished", "broken", "odd"):
        shutil.copytree(runs / "a", tmp_path / name)
    (tmp_path / "unfinished" / "scores.json").unlink()
    (tmp_path / "broken" / "scores.json").write_text("{")
    (tmp_path / "odd" / "config.yaml").write_text("[1, 2]")
    found = results.find([tmp_path])
    assert [result.folder.name for result in found.results] == ["good"]
    assert {folder.name for folder in found.skipped} == {"unfinished", "broken", "odd"}
    assert "has not finished" in found.skipped[tmp_path / "unfinished"]


def test_a_folder_without_runs_is_refused_with_its_name(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        results.find([tmp_path])


def test_predictions_give_the_stored_scores(runs):
    predictions = predict(runs / "nfm", "test")
    stored = json.loads((runs / "nfm" / "scores.json").read_text())["test"]
    assert score(predictions, [METRICS["auc"], METRICS["log_loss"]]).values == {
        name: stored[name] for name in ("auc", "log_loss")
    }
