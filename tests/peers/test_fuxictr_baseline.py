"""`scripts/baseline.py fuxictr`: the model that it runs is ours, and the scores that it leaves are FuxiCTR's."""

import json
from io import StringIO

import pytest
import yaml
from rich.console import Console
from torch import nn

import ctr.models
from ctr.app.baselines import fuxictr, fuxictr_options
from ctr.app.baselines.fuxictr import load_fuxictr
from ctr.app.baselines.fuxictr_models import COUNTERPARTS
from ctr.app.baselines.run import run
from ctr.app.reproduce import reading, runs
from ctr.blocks.dropout import Dropout
from ctr.errors import UserError
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.app.compose import TINY

pytest.importorskip("fuxictr", reason="FuxiCTR is not installed: pip install fuxictr==2.3.10; tests/peers/README.md")
pytest.importorskip(
    "model_zoo.DeepFM", reason="FuxiCTR's models are not on PYTHONPATH: add a checkout of it; tests/peers/README.md"
)

import model_zoo
from fuxictr.features import FeatureMap

FIELDS = ["user", "item", "day", "hour", "city"]
BESIDE = [row for row in reading.read("bars_frappe").rows if row.baseline == "fuxictr"]


def theirs(options):
    features = FeatureMap("random", ".")
    features.num_fields, features.default_emb_dim = len(FIELDS), options.model.get("embedding_dim")
    for name in FIELDS:
        features.features[name] = {"type": "categorical", "vocab_size": 3, "source": ""}
    model_class = fuxictr._model({"model_zoo": model_zoo}, options.target)
    return model_class(features, model_root=".", verbose=0, **options.model)


def size(model):
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def rates(model):
    return {part.p for part in model.modules() if isinstance(part, nn.Dropout | Dropout) and part.p > 0}


@pytest.mark.parametrize("row", BESIDE, ids=lambda row: row.name)
def test_the_model_has_as_many_parameters_as_ours_and_the_same_dropouts(row):
    config = runs.config(row)
    settings = dict(config["model"])
    target = settings.pop("_target_").rpartition(".")[2]
    schema = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, 3) for name in FIELDS))
    ours, model = getattr(ctr.models, target)(schema, **settings), theirs(fuxictr_options.of(config))
    superfluous = "bias" in COUNTERPARTS[target].free  # a constant beside another
    assert size(model) - size(ours) in ({0, 1} if superfluous else {0})
    assert rates(model) == rates(ours)


def test_the_packages_library_is_refused_since_its_runs_do_not_repeat(monkeypatch):
    monkeypatch.setattr("fuxictr.pytorch.dataloaders.RankDataLoader", lambda *arguments, **more: None)
    with pytest.raises(UserError, match="put a checkout of it first on PYTHONPATH"):
        load_fuxictr()


def test_its_scores_are_those_of_its_own_evaluation(tmp_path):
    words = [word for word in TINY if word.startswith("dataset.")]
    words += ["trainer=bars", "model=deepfm", "model.init_std=1e-4", "trainer.batch_size=100", "trainer.max_epochs=2"]
    said = StringIO()
    run("fuxictr", [*words, "threads=1"], tmp_path, Console(file=said, width=200))
    scores = json.loads((tmp_path / "scores.json").read_text())
    epochs = [line for line in said.getvalue().splitlines() if line.startswith("epoch ")]
    assert max(float(line.split("valid AUC ")[1]) for line in epochs) == pytest.approx(scores["valid"]["auc"], abs=1e-5)
    assert (scores["epochs"], scores["steps"]) == (2, 40)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())  # a row whose settings change finds its old runs
    assert (config["model"]["hidden_dims"], config["trainer"]["max_epochs"]) == ([400, 400, 400], 2)
    again = tmp_path / "again"
    run("fuxictr", [*words, "threads=1"], again, Console(quiet=True))
    assert json.loads((again / "scores.json").read_text())["test"] == scores["test"]
