"""What TensorBoard reads back of a run: each thing once, and true."""

import io
import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
from google.protobuf import text_format
from PIL import Image
from rich.console import Console
from scipy.stats import binomtest
from sklearn.metrics import precision_score, recall_score
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util.tensor_util import make_ndarray

from ctr.app import board, run_folder, stages
from ctr.app.board import embeddings, hparams, quality, reliability
from ctr.app.restore import restore
from ctr.data import from_frames
from ctr.data.names import Names
from ctr.metrics import Predictions
from ctr.training import LogLoss, SquaredError, checkpoint
from tests.app.compose import config, tiny_run

FULL = "board=full"


def read(folder) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance=dict.fromkeys(("images", "scalars", "tensors"), 0))
    events.Reload()
    return events


def text(events, tag: str) -> str:
    (event,) = events.Tensors(f"{tag}/text_summary")
    return event.tensor_proto.string_val[0].decode()


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A run on a small table of named users and items, with a third field that one cell of valid alone has."""
    folder = tmp_path_factory.mktemp("board")
    random = np.random.default_rng(0)
    for split, rows in (("train", 600), ("valid", 200), ("test", 200)):
        users, items = random.zipf(1.5, rows) % 7, random.integers(0, 5, rows)
        cells = pd.DataFrame({"label": random.random(rows) < 0.2 + 0.1 * users, "user": users, "item": items})
        cells["user"] = [f"us|er ${user}" for user in users]
        cells["label"] = cells["label"].astype(int)
        cells.to_csv(folder / f"{split}.csv", index=False)
    said = ["dataset=table", f"dataset.root={folder}", "dataset.fields={user: categorical, item: categorical}"]
    said += [
        f"dataset.cache={folder}/cache",
        "model=fm_dnn",
        "model.hidden_dims=[8]",
        "trainer=debug",
        "trainer.patience=null",
        "threads=1",
    ]
    run = folder / "run"
    stages.run(config(*said), run, said, Console(quiet=True))
    return run


@pytest.fixture(scope="module")
def events(shown):
    return read(shown / "train")


def test_config_model_and_scores_stand_as_text(shown, events):
    assert "  embedding_dim: 10\n" in text(events, "config").replace("\n    ", "\n")
    assert re.search(r"deep_embedding +FeatureEmbedding +\(B, \d+, \d+\) +\d+", text(events, "model"))
    scores, said = run_folder.read_scores(shown), text(events, "scores")
    assert f"| auc | {scores['valid']['auc']:.5f} | {scores['test']['auc']:.5f} |" in said
    assert f"best at step {scores['best_step']} of {scores['steps']}" in said
    assert "gauc is undefined: the dataset names no group column" in said


def test_the_picture_of_the_model_is_among_the_images(events):
    (event,) = events.Images("model")
    picture = np.asarray(Image.open(io.BytesIO(event.encoded_image_string)).convert("L"))
    assert (event.height, event.width) == picture.shape
    assert 0.01 < (picture < 128).mean() < 0.5  # lines and letters on a light ground


def test_the_curve_of_precision_and_recall_is_sklearns(shown, events):
    (event,) = events.Tensors("valid/precision_recall")
    precision, recall = make_ndarray(event.tensor_proto)[-2:]
    run = restore(shown)
    found = run.trainer.predict(run.model, run.data, "valid")
    for i in (0, 30, 50, 60):
        positive = found.predicted >= i / 126
        if positive.any():
            assert precision[i] == pytest.approx(precision_score(found.labels, positive), abs=1e-6)
            assert recall[i] == pytest.approx(recall_score(found.labels, positive), abs=1e-6)
    assert recall[0] == 1.0


def test_logits_are_counted_by_label(shown, events):
    run = restore(shown)
    found = run.trainer.predict(run.model, run.data, "valid")
    for label in (0, 1):
        (event,) = events.Histograms(f"valid/logits_of_label_{label}")
        mine = found.logits[found.labels == label]
        histogram = event.histogram_value
        assert (histogram.num, histogram.min, histogram.max) == (len(mine), mine.min(), mine.max())
        assert sum(histogram.bucket) == len(mine)
        assert histogram.sum / histogram.num == pytest.approx(mine.mean().item())
        edges = histogram.bucket_limit
        middle = len(edges) // 2
        assert sum(histogram.bucket[: middle + 1]) == (mine < edges[middle]).sum()


@pytest.mark.parametrize("tag", ["valid/reliability", "embedding/mean_norm", "deep_embedding/mean_norm"])
def test_figures_are_pictures_of_the_size_they_say(events, tag):
    (event,) = events.Images(tag)
    picture = Image.open(io.BytesIO(event.encoded_image_string))
    assert picture.size == (event.width, event.height)
    assert len(np.unique(np.asarray(picture.convert("L")))) > 20
    assert len(event.encoded_image_string) < 100_000


def test_embeddings_are_told_by_field(shown, events):
    run = restore(shown)
    table = run.model.embedding.table.weight.detach()
    lines = [line.strip("| ").split(" | ") for line in text(events, "embedding/by_field").splitlines()[2:]]
    counts = np.bincount(run.data.rows("train").ids.flatten().numpy(), minlength=len(table))
    for line, field, start in zip(lines, run.data.schema.fields, run.data.schema.offsets, strict=True):
        mine = slice(start, start + field.num_features)
        seen = torch.from_numpy(counts[mine] > 0)
        assert line[:2] == [field.name, str(field.num_features)]
        assert line[2] == str(counts[mine].sum()) == "600"
        assert line[3].split()[0] == str(int((~seen).sum()))
        assert float(line[5]) == pytest.approx(table[mine][seen].norm(dim=1).mean().item(), rel=1e-3)
        assert float(line[6]) == pytest.approx(table[mine][~seen].norm(dim=1).mean().item(), rel=1e-3)
    dead = (counts == 0).mean()
    for tag in ("embedding/never_in_train", "embedding/never_moved", "deep_embedding/never_moved"):
        (event,) = events.Scalars(tag)
        assert event.value == pytest.approx(dead)  # without L2 the rows of features that train has move, and no others


def test_the_projector_has_the_most_frequent_features_by_name(shown):
    run, folder = restore(shown), shown / "train"
    found = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [one.tensor_name for one in found.embeddings] == ["embedding", "deep_embedding"]
    labels = pd.read_csv(folder / found.embeddings[0].metadata_path, sep="\t")
    assert list(labels.columns) == ["feature", "field", "count"]
    train = pd.read_csv(shown.parent / "train.csv")
    expected = pd.concat([train.user.map("user={}".format), train.item.map("item={}".format)]).value_counts()
    assert dict(zip(labels["feature"], labels["count"], strict=True)) == expected.to_dict()
    assert labels["count"].is_monotonic_decreasing
    names = Names(run.data)
    for one, table in zip(found.embeddings, (run.model.embedding, run.model.deep_embedding), strict=True):
        vectors = np.loadtxt(folder / one.tensor_path, delimiter="\t")
        ids = [names.find(name) for name in labels["feature"]]
        np.testing.assert_allclose(vectors, table.table.weight.detach()[ids], rtol=1e-4)


def test_hparams_of_all_runs_are_compared_in_one_table(tmp_path):
    """As TensorBoard's own plugin reads them: a row a run, none for an FM stage, each setting that any of them has."""
    tiny_run(tmp_path / "0-fm", "model=fm", "seed=2", "trainer.clip_norm=null")
    tiny_run(tmp_path / "1-fnn", "model=fnn", "model.hidden_dims=[8]", "trainer.optimizer.lr=0.01")
    runs = EventMultiplexer().AddRunsFromDirectory(str(tmp_path)).Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(runs, str(tmp_path)), multiplexer=runs))
    assert sorted(runs.Runs()) == ["0-fm/train", "1-fnn/pretrain", "1-fnn/train"]
    ask, seen = RequestContext(), context.hparams_metadata(RequestContext(), "")
    experiment = context.experiment_from_metadata(ask, "", True, seen, context.hparams_from_data_provider(ask, "", 0))
    differing = {info.name for info in experiment.hparam_infos if info.differs}
    assert {"model", "seed", "trainer.optimizer.lr"} <= differing
    assert "trainer.batch_size" in {info.name for info in experiment.hparam_infos} - differing
    metrics = [info.name.tag for info in experiment.metric_infos]
    assert metrics[:4] == ["best/test_auc", "best/test_log_loss", "best/valid_auc", "best/valid_log_loss"]
    request = api_pb2.ListSessionGroupsRequest(allowed_statuses=[api_pb2.STATUS_SUCCESS], slice_size=9)
    request.include_metrics = True
    groups = {group.name: group for group in Handler(ask, context, "", request).run().session_groups}
    assert set(groups) == {"0-fm/train", "1-fnn/train"}
    for name, group in groups.items():
        scores = run_folder.read_scores(tmp_path / name.split("/")[0])
        values = {value.name.tag: value.value for value in group.metric_values}
        assert values["best/test_auc"] == pytest.approx(scores["test"]["auc"])
        assert values["best/valid_log_loss"] == pytest.approx(scores["valid"]["log_loss"])
    one, other = groups["0-fm/train"].hparams, groups["1-fnn/train"].hparams
    assert (one["model"].string_value, other["model"].string_value) == ("FM", "FM -> FNN")
    assert (one["seed"].number_value, other["trainer.optimizer.lr"].number_value) == (2, 0.01)
    assert "trainer.clip_norm" not in one
    assert "trainer.clip_norm" in other


def test_settings_are_flat_without_what_is_no_setting():
    from ctr.app.config import plain

    found = hparams.settings(plain(config("model=fnn", "model.hidden_dims=[8, 4]", "trainer.groups.embedding.l2=0.5")))
    assert found["model.hidden_dims"] == "[8, 4]"
    assert found["trainer.groups.embedding.l2"] == 0.5
    assert found["trainer.optimizer"] == "LazyAdam"
    assert found["pretrain.model"] == "FM"
    assert found["dataset.zipf"] == 1.1
    assert found["model.batch_norm"] is False
    parts = {part for name in found for part in name.split(".")}
    assert parts & {"_target_", "_partial_", "device", "log_every", "profile", "metrics", "root"} == set()
    assert [name for name in found if name.endswith("seed")] == ["seed", "dataset.seed"]


def test_a_finished_run_that_is_repeated_or_prolonged_shows_nothing_twice(tmp_path):
    def kinds():
        names = [path.name for path in (tmp_path / "train").glob("events.*")]
        return sorted(found[1] for name in names if (found := re.search(r"\.((start|stage|scores)-.*)", name)))

    tiny_run(tmp_path, "model=fm", FULL)
    before = kinds()
    assert [name.split("-")[0] for name in before] == ["scores", "stage", "start"]
    tiny_run(tmp_path, "model=fm", FULL)
    assert kinds() == before
    tiny_run(tmp_path, "model=fm", FULL, "trainer.max_steps=30")
    events = read(tmp_path / "train")
    assert len(kinds()) == 3
    assert set(kinds()).isdisjoint(before)
    assert "max_steps: 30" in text(events, "config")
    assert "of 30" in text(events, "scores")
    assert len(events.Images("valid/reliability")) == len(events.Scalars("best/test_auc")) == 1
    steps = [event.step for event in events.Scalars("train/loss")]
    assert steps == sorted(set(steps))


@pytest.mark.parametrize("lost", ["stage", "finish"])
def test_a_run_that_is_killed_while_it_writes_is_whole_after_its_repetition(tmp_path, monkeypatch, lost):
    class Killed(BaseException):
        pass

    def kill(*_):
        raise Killed

    name = {"stage": "embeddings.summaries", "finish": "hparams.end"}[lost]
    with monkeypatch.context() as patch:
        patch.setattr(f"ctr.app.board.{name}", kill)
        with pytest.raises(Killed):
            tiny_run(tmp_path, "model=fm", FULL)
    tiny_run(tmp_path, "model=fm", FULL)
    events = read(tmp_path / "train")
    assert len(events.Images("valid/reliability")) == len(events.Scalars("best/test_auc")) == 1
    assert len(events.Tensors("config/text_summary")) == 1
    assert not list((tmp_path / "train").glob(".*"))


def test_looking_changes_nothing(tmp_path):
    """Weights of both stages and scores are those of the run without figures; a finished run gets them later."""
    said = ["model=fnn", "model.hidden_dims=[8]", "model.dropout=0.5"]
    for name, shows in (("plain", []), ("full", [FULL])):
        tiny_run(tmp_path / name, *said, *shows)
    for stage in ("pretrain", "train"):
        one, other = (checkpoint.load_best(tmp_path / name / stage / "checkpoints").model for name in ("plain", "full"))
        assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    one, other = (run_folder.read_scores(tmp_path / name) for name in ("plain", "full"))
    assert (one["valid"], one["test"]) == (other["valid"], other["test"])
    assert not read(tmp_path / "plain" / "train").Tags()["images"]
    tiny_run(tmp_path / "plain", *said, FULL)
    assert read(tmp_path / "plain" / "train").Tags()["images"]


def test_rows_that_stand_still_are_found_though_train_has_them(tmp_path):
    tiny_run(tmp_path, "model=lr", FULL, "trainer.groups.linear.lr=0")
    (event,) = read(tmp_path / "train").Scalars("linear.weight/never_moved")
    assert event.value == 1.0
    assert not (tmp_path / "train" / "projector_config.pbtxt").exists()  # single weights have no place there


def test_tables_are_those_of_vectors_of_all_features(schema):
    model = torch.nn.Module()
    model.linear, model.embedding = torch.nn.Embedding(21, 1), torch.nn.Embedding(21, 3)
    model.crosses = torch.nn.Embedding(5, 3)
    assert list(embeddings.tables(model, schema)) == ["embedding"]
    del model.embedding
    assert list(embeddings.tables(model, schema)) == ["linear"]


def test_features_that_fields_share_are_counted_once_and_by_all():
    frame = pd.DataFrame({"label": [0, 1] * 3, "user": list("abcabc"), "last": list("aabbcd")})
    fields = {"user": "categorical", "last": {"kind": "categorical", "share": "user"}}
    names = Names(from_frames(frame, frame, frame, fields=fields))
    table = torch.ones(names.schema.num_features, 4)
    (found,) = embeddings.by_field(table, names, table.sum(dim=1))
    assert (found.name, found.rows, found.slots, found.absent, found.still) == ("user", 5, 12, 1, 5)
    assert (found.norm, found.absent_norm) == (2.0, 2.0)


# --- numbers behind the pictures ---


def predictions(labels, predicted, weights=None, targets=None) -> Predictions:
    labels, predicted = (torch.as_tensor(x, dtype=torch.double) for x in (labels, predicted))
    weights = torch.ones_like(labels) if weights is None else torch.as_tensor(weights, dtype=torch.double)
    return Predictions(labels, labels if targets is None else targets, predicted, predicted, weights)


def test_bins_hold_equal_numbers_of_rows_and_their_means():
    random = np.random.default_rng(1)
    chances = random.random(2000)
    labels = (random.random(2000) < chances).astype(float)
    found = reliability.bins(chances, labels, np.ones(2000))
    order = np.argsort(chances)
    for i, rows in enumerate(np.split(order, 20)):
        assert found.predicted[i] == pytest.approx(chances[rows].mean())
        assert found.observed[i] == pytest.approx(labels[rows].mean())
        interval = binomtest(int(labels[rows].sum()), 100).proportion_ci(0.95, method="wilson")
        assert (found.low[i], found.high[i]) == pytest.approx((interval.low, interval.high), abs=1e-4)
    assert found.weight == pytest.approx(np.full(20, 0.05))
    assert found.error == pytest.approx(abs(found.observed - found.predicted).mean())
    assert found.error < 0.06
    assert reliability.bins(chances**2, labels, np.ones(2000)).error > 0.1


def test_equal_predictions_stay_in_one_bin_and_rows_of_weight_zero_do_not_count():
    chances, labels = np.repeat([0.1, 0.5, 0.9], 400), np.tile([0.0, 1.0], 600)
    weights = np.where(np.arange(1200) < 400, 0.0, 2.0)
    found = reliability.bins(chances, labels, weights)
    assert found.predicted.tolist() == pytest.approx([0.5, 0.9])
    assert found.observed.tolist() == pytest.approx([0.5, 0.5])
    assert found.error == pytest.approx(0.2)


def test_few_rows_make_few_bins():
    assert len(reliability.bins(np.linspace(0.1, 0.9, 120), np.arange(120) % 2, np.ones(120)).weight) == 2
    assert len(reliability.bins(np.array([0.3]), np.array([1.0]), np.ones(1)).weight) == 1


def test_what_each_objective_predicts_is_read_as_a_chance():
    labels = [0.0, 1.0]
    plus_minus = SquaredError(reduction="sum", plus_minus_one=True, clip=True)
    assert quality.probabilities(predictions(labels, [0.2, 0.7]), LogLoss(reduction="mean")).tolist() == [0.2, 0.7]
    assert quality.probabilities(predictions(labels, [-1.0, 0.5]), plus_minus).tolist() == [0.0, 0.75]
    regression = SquaredError(reduction="mean", plus_minus_one=False, clip=True)
    assert quality.probabilities(predictions([1.0, 5.0], [1.0, 4.0]), regression) is None


def test_a_regression_shows_its_residuals_by_weight():
    regression = SquaredError(reduction="mean", plus_minus_one=False, clip=True)
    given = predictions([1.0, 3.0, 5.0], [1.5, 2.0, 5.5], [1.0, 2.0, 1.0])
    (found,) = quality.summaries(given, regression)
    (value,) = found.value
    assert value.tag == "valid/residuals"
    assert (value.histo.num, value.histo.min, value.histo.max) == (4, -1.0, 0.5)
    assert value.histo.sum == -1.0
    assert sum(value.histo.bucket) == 4


def test_a_split_of_one_class_is_shown_as_far_as_it_can_be():
    found = list(quality.summaries(predictions(np.zeros(60), np.full(60, 0.25)), LogLoss(reduction="mean")))
    tags = [value.tag for summary in found for value in summary.value]
    assert tags == ["valid/precision_recall", "valid/logits_of_label_0", "valid/reliability"]


def test_a_figure_of_many_fields_says_which_it_shows():
    from matplotlib.figure import Figure

    fields = [embeddings.FieldRows(f"field ${i}", i + 1, 10, 0, 0, 0.5, math.nan) for i in range(80)]
    figure = Figure()
    embeddings.draw(figure, fields)
    (axes,) = figure.axes
    assert "the 60 of 80 fields with the most features" in axes.get_xlabel()
    assert axes.get_yticklabels()[-1].get_text() == "field $79 (80)"


def test_the_switch_takes_two_words(tmp_path):
    from ctr.errors import UserError

    with pytest.raises(UserError, match="board: expected one of full, scalars"):
        tiny_run(tmp_path, "board=none")
    assert set(board.__all__) == {"begin", "finish", "row_sums", "stage"}
