"""A config in FuxiCTR's words. Whether the models are the same, tests/peers tells."""

import pytest
import yaml

from ctr.app.baselines import fuxictr_options
from ctr.app.baselines.fuxictr_models import COUNTERPARTS
from ctr.app.composed import checked, compose
from ctr.app.reproduce import reading, runs
from ctr.errors import UserError
from tests.conftest import ROOT

BARS = ["trainer=bars", "model.init_std=1e-4"]


def options(*overrides):
    return fuxictr_options.of(checked(compose([*BARS, *overrides])))


def test_every_row_beside_ours_has_its_settings():
    for row in reading.read("bars_frappe").rows:
        if row.baseline == "fuxictr":
            assert fuxictr_options.of(runs.config(row)).model["learning_rate"] == 1e-3


def test_settings_take_their_names():
    found = options(
        "model=deepfm",
        "model.hidden_dims=[7,5]",
        "model.dropout=0.3",
        "trainer.groups.embedding.l2=0.05",
        "trainer.groups.linear.l2=0.05",
        "trainer.max_epochs=9",
        "trainer.clip_norm=null",
        "trainer.patience=4",
        "schedule@trainer.schedule=constant",
    )
    told = {"hidden_units": [7, 5], "net_dropout": 0.3, "embedding_regularizer": 0.05, "embedding_dim": 10}
    told |= {"early_stop_patience": 4, "reduce_lr_on_plateau": False, "monitor": "AUC", "batch_size": 4096}
    assert found.target == "DeepFM"
    assert told.items() <= found.model.items()
    assert (found.epochs, found.clip_norm) == (9, float("inf"))


def test_a_whole_number_of_l2_is_not_lost():
    assert repr(options("model=dnn", "trainer.groups.embedding.l2=1").model["embedding_regularizer"]) == "1.0"


def test_settings_that_turn():
    autoint = options("model=autoint", "model.num_heads=4", "model.attention_dim=32").model
    assert (autoint["attention_dim"], autoint["num_heads"]) == (128, 4)
    assert options("model=afm", "model.pooling_dropout=0.3", "model.attention_dropout=0.1").model[
        "attention_dropout"
    ] == [0.1, 0.3]
    assert options("model=dcnv2", "model.hidden_dims=[6]").model["parallel_dnn_hidden_units"] == [6]
    assert options("model=finalnet", "model.second_hidden_dims=[]").model["block_type"] == "1B"


@pytest.mark.parametrize("path", sorted((ROOT / "configs/model").glob("*.yaml")), ids=lambda path: path.stem)
def test_no_setting_of_a_model_is_lost(path):
    config = yaml.safe_load(path.read_text())
    name = config.pop("_target_").rpartition(".")[2]
    if name in COUNTERPARTS:
        assert config.keys() <= COUNTERPARTS[name].known


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=rnn"], "no model that is our RNN"),
        (["model=nfm"], "NFM needs model.pooling_batch_norm=False"),
        (["model=dnn", "model.init_std=0.01"], r"model.init_std=0.0001; the config has 0.01"),
        (["model=dnn", "trainer.groups.network.l2=0.1"], "0.1 on network"),
        (["model=deepfm", "trainer.groups.embedding.l2=0.1"], "one L2, on embedding and linear"),
        (["model=dnn", "trainer.groups.network.lr=0.1"], "one learning rate"),
        (["model=dnn", "optimizer@trainer.optimizer=lazy_adagrad"], "Adam as torch has it"),
        (["model=dnn", "trainer.optimizer.lr=0.01"], "or plateau with"),
        (["model=dnn", "trainer.eval_every=5"], "trainer.eval_every=null"),
        (["model=dnn", "trainer.optimizer.catch_up=false"], "Adam as torch has it"),
        (["model=dnn", "objective.reduction=sum"], "the mean log loss"),
        (
            [
                "model=nfm",
                "model.pooling_batch_norm=false",
                "model.pooling_dropout=0",
                "model.hidden_batch_norm=true",
                "model.head_bias=true",
            ],
            "batch_norm_eps=1e-05; the config has 0.001",
        ),
        (["model=dnn", "precision=bf16"], "trainer.precision=fp32"),
        (["model=dnn", "start=mean"], "start=zero"),
        (["model=dnn", "trainer.batch_size=null"], "say the batch size"),
        (["model=dnn", "monitor=gauc"], "auc or log_loss"),
        (["model=fnn"], "one stage"),
        (
            ["model=autoint_plus", "model.dropout=0.1", "model.attention_dropout=0.2"],
            "one dropout for attention and network",
        ),
    ],
)
def test_what_it_cannot_do_is_said(overrides, message):
    with pytest.raises(UserError, match=message):
        options(*overrides)


@pytest.mark.parametrize(("device", "gpu"), [("cpu", None), ("cuda", 0), ("cuda:3", 3)])
def test_it_runs_where_the_config_says(device, gpu):
    assert options("model=dnn", f"device={device}").model.get("gpu") == gpu
