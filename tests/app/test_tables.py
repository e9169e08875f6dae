"""Tables: what counts as a repetition, and what the mean is of."""

import statistics

import pytest

from ctr.app import run_folder
from ctr.app.tables import markdown, table
from ctr.errors import UserError
from tests.app.compose import tiny_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """FM with seeds 1, 2 and 2 again, and with another law and another width."""
    out = tmp_path_factory.mktemp("runs")
    for name, overrides in {
        "a": ["seed=1"],
        "b": ["seed=2"],
        "b again": ["seed=2"],
        "law": ["seed=1", "dataset.seed=7"],
        "wide": ["seed=1", "model.embedding_dim=16"],
    }.items():
        tiny_run(out / name, "model=fm", *overrides)
    return out


def row(frame, word):
    return frame[frame["overrides"].str.contains(word, regex=False)].iloc[0]


def test_a_seed_that_was_run_twice_counts_once(runs):
    frame = table([runs], "test", ["auc"])
    assert sorted(frame["seeds"]) == [1, 1, 2]


def test_the_mean_and_the_standard_deviation_are_those_of_the_seeds(runs):
    frame = table([runs], "test", ["auc"])
    scores = [run_folder.read_scores(runs / name)["test"]["auc"] for name in ("a", "b")]
    expected = f"{statistics.mean(scores):.5f} ± {statistics.stdev(scores):.5f}"
    assert frame[frame["seeds"] == 2]["test auc"].item() == expected


def test_another_law_and_another_width_are_other_experiments_and_shown_as_typed(runs):
    frame = table([runs], "test", ["auc"])
    assert row(frame, "dataset.seed=7")["seeds"] == 1
    assert row(frame, "model.embedding_dim=16")["parameters"] > row(frame, "dataset.seed=7")["parameters"]


def test_one_row_alone_needs_no_overrides(runs):
    assert "overrides" not in table([runs / "a"], "test", ["auc"]).columns


def test_markdown_has_a_line_for_each_row_and_two_of_heading(runs):
    frame = table([runs], "valid", ["log_loss"])
    assert len(markdown(frame).splitlines()) == len(frame) + 2


def test_nothing_finished_is_said(tmp_path):
    with pytest.raises(UserError, match="no finished run"):
        table([tmp_path], "test", [])
