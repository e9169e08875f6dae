"""The chain: what a run leaves, how stages hand weights on, how runs go on."""

import pytest
import torch
import yaml

from ctr.app import run_folder
from ctr.app.restore import restore
from ctr.errors import UserError
from ctr.training import checkpoint
from tests.app.compose import tiny_run


def best(out, stage):
    return checkpoint.load_best(out / stage / "checkpoints").model


def test_a_run_leaves_all_that_it_promises(tmp_path):
    value = tiny_run(tmp_path, "model=nfm", "model.embedding_dim=8")
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")}
    assert {"config.yaml", "overrides.yaml", "schema.json", "machine.json", "scores.json"} <= files
    assert {"train/metrics.jsonl", "train/checkpoints"} <= files
    assert any(name.startswith("train/events") for name in files)
    scores = run_folder.read_scores(tmp_path)
    assert value == scores["valid"]["auc"]
    assert {"valid", "test", "law_realised", "law_expected", "parameters", "seconds"} <= set(scores)
    assert "model=nfm" in yaml.safe_load((tmp_path / "overrides.yaml").read_text())
    config = run_folder.read_config(tmp_path)
    assert config["stages"]["train"]["model"]["embedding_dim"] == 8


@pytest.mark.parametrize("model", ["fnn", "deepfm", "nfm"])
def test_a_model_starts_from_its_fm_stage(model, tmp_path):
    overrides = [f"model={model}", "model.hidden_dims=[8]"]
    overrides += [] if model == "fnn" else ["stages=fm_pretrain"]
    still = [f"trainer.groups.{group}.lr=0" for group in ("embedding", "linear", "network")]
    tiny_run(tmp_path, *overrides, *still)  # so that the second stage leaves its weights as they started
    fm, trained = best(tmp_path, "pretrain"), best(tmp_path, "train")
    shared = [name for name in trained if name.startswith(("linear.", "embedding."))]
    assert {"linear.weight.table.weight", "embedding.table.weight"} <= set(shared)
    for name in shared:
        assert torch.equal(trained[name], fm[name]), name
        assert trained[name].abs().sum() > 0


def test_without_stages_fnn_starts_on_its_own(tmp_path):
    tiny_run(tmp_path, "model=fnn", "stages=none", "model.hidden_dims=[8]")
    assert not (tmp_path / "pretrain").exists()


def test_a_finished_fm_run_serves_as_the_first_stage(tmp_path):
    tiny_run(tmp_path / "fm", "model=fm")
    still = [f"trainer.groups.{group}.lr=0" for group in ("embedding", "linear", "network")]
    reused = ["model=fnn", "model.hidden_dims=[8]", f"stages.pretrain.from={tmp_path / 'fm'}"]
    tiny_run(tmp_path / "fnn", *reused, *still)
    assert not (tmp_path / "fnn" / "pretrain").exists()
    fm, fnn = best(tmp_path / "fm", "train"), best(tmp_path / "fnn", "train")
    assert torch.equal(fnn["embedding.table.weight"], fm["embedding.table.weight"])


def test_an_fm_of_another_size_or_data_is_refused_with_the_reason(tmp_path):
    tiny_run(tmp_path / "fm", "model=fm", "model.embedding_dim=3")
    again = ["model=fnn", "model.hidden_dims=[8]", f"stages.pretrain.from={tmp_path / 'fm'}"]
    with pytest.raises(UserError, match=r"embedding.table.weight.*\(\d+, 3\)"):
        tiny_run(tmp_path / "a", *again)
    with pytest.raises(UserError, match=r"schema .* of the checkpoint is not"):
        tiny_run(tmp_path / "b", *again, "model.embedding_dim=3", "dataset.vocabulary=15")
    with pytest.raises(UserError, match="not the folder of a run"):
        tiny_run(tmp_path / "c", "model=fnn", f"stages.pretrain.from={tmp_path / 'nowhere'}")


def test_the_same_command_on_a_finished_run_repeats_its_scores(tmp_path):
    overrides = ["model=fnn", "model.hidden_dims=[8]"]
    first = tiny_run(tmp_path, *overrides)
    scores = run_folder.read_scores(tmp_path)
    assert tiny_run(tmp_path, *overrides) == first
    assert run_folder.read_scores(tmp_path) == scores


def test_a_folder_with_a_run_of_another_config_is_refused_naming_the_key(tmp_path):
    tiny_run(tmp_path, "model=fm")
    with pytest.raises(UserError, match=r"model.embedding_dim: 10 there, 4 now"):
        tiny_run(tmp_path, "model=fm", "model.embedding_dim=4")


def test_a_folder_in_which_nothing_was_trained_yet_takes_the_mended_command(tmp_path):
    with pytest.raises(UserError, match="dropout"):
        tiny_run(tmp_path, "model=fm", "model.embedding_dropout=1.5")
    tiny_run(tmp_path, "model=fm", "model.embedding_dropout=0.5")


def test_a_finished_run_may_be_prolonged(tmp_path):
    tiny_run(tmp_path, "model=fm")
    tiny_run(tmp_path, "model=fm", "trainer.max_steps=30")
    assert run_folder.read_scores(tmp_path)["steps"] == 30


def test_keys_for_a_stage_that_is_not_there_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"stages.pretrain.model names no class"):
        tiny_run(tmp_path, "model=fm", "+stages.pretrain.trainer.max_epochs=3")


def test_a_run_that_goes_on_further_drops_the_scores_of_the_shorter_one(tmp_path):
    tiny_run(tmp_path, "model=fm")
    longer = run_folder.read_config(tmp_path)
    longer["trainer"]["max_steps"] = longer["stages"]["train"]["trainer"]["max_steps"] = 30
    run_folder.begin(tmp_path, longer, [])
    with pytest.raises(UserError, match="has not finished"):
        run_folder.read_scores(tmp_path)


def test_the_patience_of_a_schedule_may_not_change_on_the_way(tmp_path):
    tiny_run(tmp_path, "model=fm")
    with pytest.raises(UserError, match=r"trainer.schedule.patience: 1 there, 5 now"):
        tiny_run(tmp_path, "model=fm", "trainer.schedule.patience=5")


def test_restore_changes_nothing_but_where_the_data_are(tmp_path):
    tiny_run(tmp_path, "model=fm")
    for override in ("seed=3", "trainer.eval_batch_size=7", "device=cuda"):
        with pytest.raises(UserError, match="only keys of dataset"):
            restore(tmp_path, [override])
    with pytest.raises(UserError, match="rooot"):
        restore(tmp_path, ["dataset.rooot=x"])


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with run_folder.lock(tmp_path), pytest.raises(UserError, match="another process"):
        tiny_run(tmp_path, "model=fm")


def test_a_config_file_cannot_trust_a_package(tmp_path):
    from ctr.app import stages
    from tests.app.compose import TINY, config

    with pytest.raises(UserError, match="only the command line"):
        stages.run(config(*TINY, "trust=[evil]"), tmp_path, TINY)


def test_restore_gives_back_the_run_and_its_exact_scores(tmp_path):
    tiny_run(tmp_path, "model=deepfm", "model.hidden_dims=[8]")
    run = restore(tmp_path)
    stored = run_folder.read_scores(tmp_path)
    for split in ("valid", "test"):
        assert run.trainer.evaluate(run.model, run.data, split).to_json() == stored[split]


def test_restore_refuses_other_data_and_other_folders(tmp_path):
    tiny_run(tmp_path / "run", "model=fm")
    with pytest.raises(UserError, match="field_0"):
        restore(tmp_path / "run", ["dataset.vocabulary=21", "dataset.seed=3"])
    with pytest.raises(UserError, match="not the folder of a run"):
        restore(tmp_path)


def test_the_test_split_is_read_only_at_the_end(tmp_path, monkeypatch):
    from ctr.data.module import Data

    asked = []
    loader = Data.loader
    monkeypatch.setattr(
        Data, "loader", lambda self, split, *a, **k: asked.append(split) or loader(self, split, *a, **k)
    )
    tiny_run(tmp_path, "model=fnn", "model.hidden_dims=[8]")
    first = asked.index("test")
    assert set(asked[first:]) == {"test"}
    assert asked.count("train") == 2


def test_a_claim_is_judged(tmp_path):
    claim = "claim={split: test, metric: auc, low: 0.0, high: 1.0, source: arithmetic}"
    tiny_run(tmp_path / "a", "model=fm", claim)
    assert "inside the claimed band" in run_folder.read_scores(tmp_path / "a")["claim"]
    tiny_run(tmp_path / "b", "model=fm", claim.replace("high: 1.0", "high: 0.1"))
    assert "OUTSIDE" in run_folder.read_scores(tmp_path / "b")["claim"]
    with pytest.raises(UserError, match="claim: expected null or the keys"):
        tiny_run(tmp_path / "c", "model=fm", "claim={metric: auc}")
