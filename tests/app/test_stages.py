"""The chain: what a run leaves, how stages hand weights on, how runs go on."""

import json
import shutil

import pytest
import torch
import yaml

from ctr.app import limits, run_folder
from ctr.app.config import TARGETS
from ctr.app.restore import restore
from ctr.errors import UserError
from ctr.training import checkpoint
from ctr.training.progress import Progress
from tests.app.compose import tiny_run
from tests.conftest import ROOT


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


def facts(out):
    """What a refused command must leave as it was."""
    return [(out / name).read_bytes() for name in (run_folder.CONFIG, run_folder.OVERRIDES, run_folder.SCORES)]


@pytest.mark.parametrize(
    ("limit", "least"),
    [("max_steps=19", 20), ("max_epochs=2", 3)],  # 8 steps an epoch
)
def test_a_limit_below_what_is_made_is_refused_and_nothing_is_overwritten(tmp_path, limit, least):
    tiny_run(tmp_path, "model=fm")
    before = facts(tmp_path)
    name = limit.split("=")[0]
    with pytest.raises(
        UserError, match=f"stage train has made 20 steps, .*ended before with {limit}; say {name}={least}"
    ):
        tiny_run(tmp_path, "model=fm", f"trainer.{limit}")
    assert facts(tmp_path) == before
    tiny_run(tmp_path, "model=fm", f"trainer.{name}={least}")


def test_a_patience_that_would_have_ended_the_run_before_is_refused(tmp_path):
    worse = ["model=fm", "trainer.optimizer.lr=3", "trainer.eval_every=2"]
    tiny_run(tmp_path, *worse, "trainer.patience=null")
    improvements = checkpoint.load_newest(tmp_path / "train/checkpoints").meta["progress"]["improvements"]
    stalled = max(map(len, "".join("+" if better else "-" for better in improvements[:-1]).split("+")))
    assert stalled >= 1
    with pytest.raises(UserError, match=f"ended before with patience={stalled}; say patience={stalled + 1} or more"):
        tiny_run(tmp_path, *worse, f"trainer.patience={stalled}")
    tiny_run(tmp_path, *worse, f"trainer.patience={stalled + 1}")


def test_a_schedule_that_spans_the_training_is_not_stretched_on_the_way(tmp_path):
    cosine = ["model=fm", "schedule@trainer.schedule=cosine"]
    tiny_run(tmp_path, *cosine)
    before = facts(tmp_path)
    for limit, said in (("max_steps=30", "max_steps=20, and 30"), ("max_epochs=9", "max_epochs=100, and 9")):
        with pytest.raises(UserError, match=f"begun with {said} would have given .* of ctr.training.Cosine follow"):
            tiny_run(tmp_path, *cosine, f"trainer.{limit}")
    assert facts(tmp_path) == before
    tiny_run(tmp_path, *cosine, "trainer.patience=9")  # no rate asks for it


@pytest.mark.parametrize("path", sorted((ROOT / "configs/schedule").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_schedules_of_any_length_are_those_that_do_not_ask_for_it(path):
    settings = yaml.safe_load(path.read_text())
    name = settings.pop("_target_")
    schedule, progress = TARGETS[name](**settings), Progress(step=5, improvements=[True, False])
    asks = schedule.scale(progress, total_steps=10) != schedule.scale(progress, total_steps=20)
    assert asks == (name not in limits.ANY_LENGTH)


def test_a_stage_is_not_prolonged_under_one_that_has_started_from_it(tmp_path):
    fnn = ["model=fnn", "model.hidden_dims=[8]"]
    tiny_run(tmp_path, *fnn)
    before = facts(tmp_path)
    with pytest.raises(
        UserError, match=r"stage train has started from its weights; say stages.pretrain.trainer.max_st"
    ):
        tiny_run(tmp_path, *fnn, "trainer.max_steps=30")
    assert facts(tmp_path) == before
    tiny_run(tmp_path, *fnn, "trainer.max_steps=30", "stages.pretrain.trainer.max_steps=20")
    assert [cost["steps"] for cost in run_folder.read_scores(tmp_path)["stages"].values()] == [20, 30]


def test_a_finished_run_without_its_checkpoints_is_not_taken_for_one_of_another_config(tmp_path):
    """As a search leaves its trials."""
    tiny_run(tmp_path, "model=fm")
    shutil.rmtree(tmp_path / "train" / "checkpoints")
    before = facts(tmp_path)
    with pytest.raises(UserError, match=r"model.embedding_dim: 10 there, 4 now"):
        tiny_run(tmp_path, "model=fm", "model.embedding_dim=4")
    assert facts(tmp_path) == before
    shorter = run_folder.read_config(tmp_path)
    shorter["trainer"]["max_steps"] = shorter["stages"]["train"]["trainer"]["max_steps"] = 8
    run_folder.begin(tmp_path, shorter, [])
    assert not (tmp_path / run_folder.SCORES).exists()


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


def test_restore_gives_the_weights_of_the_scores_or_none(tmp_path, capsys):
    tiny_run(tmp_path, "model=fm")
    scores = run_folder.read_scores(tmp_path)
    assert scores["best_step"] == 20
    folder = tmp_path / "train" / "checkpoints"
    (checkpoint.step_folder(folder, 20) / "model.safetensors").write_bytes(b"")
    assert checkpoint.load_best(folder).meta["progress"]["best_step"] == 16  # the best of another moment
    with pytest.raises(UserError, match=r"best weights, those of step 20, are lost: .*model.safetensors"):
        restore(tmp_path)
    (tmp_path / run_folder.SCORES).write_text(json.dumps({**scores, "best_step": 16}))
    capsys.readouterr()
    model = restore(tmp_path).model
    expected = checkpoint.load(checkpoint.step_folder(folder, 16)).model
    assert all(torch.equal(tensor, expected[name]) for name, tensor in model.state_dict().items())
    assert capsys.readouterr().err == ""


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
