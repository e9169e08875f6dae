"""Trainings on a GPU: they give what a CPU gives, go on bit for bit, and let nothing that is not finite get by."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctr.data.device_rows import DeviceRows, has_room
from ctr.data.loader import BatchLoader
from ctr.data.rows import Rows
from ctr.errors import UserError
from ctr.training import memory
from tests.data.test_device_rows import LAYOUTS, rows
from tests.training import builders
from tests.training.builders import MODELS, Changed, Stopped, differing, fit, model, state, stopping_after, trainer
from tests.training.tables import batches, changing, constant, fm, grouped, lazy, step
from tests.training.test_tables import KINDS

CUDA = torch.device("cuda")
LAZY = {
    "adam": builders.optimizer("adam"),
    "sgd": builders.optimizer("sgd"),
    "lazy_adam": lazy("adam", eps=1e-8),
    "lazy_adamw": lazy("adam", eps=1e-8, weight_decay=0.1),
    "lazy_adagrad": lazy("adagrad"),
    "rowwise_adagrad": lazy("rowwise"),
    "lazy_sgd": lazy("sgd"),
    "ftrl": lazy("ftrl"),
}


def trained(device, kind, l2, **changes):
    """An FM after a step on each batch, in float64."""
    net = fm().to(device)
    optimizer = grouped(net, lazy(kind, **changes), l2)
    for number, batch in enumerate(batches()):
        scale = (constant if kind == "ftrl" else changing)(number)
        step(net, optimizer, tuple(part.to(device) for part in batch), scale, clip=5.0)
        if number == 30:
            optimizer.catch_up()
    optimizer.catch_up()
    return {name: weights.cpu() for name, weights in builders.weights(net).items()}


@pytest.mark.parametrize("l2", [0.0, 0.01], ids=["", "l2"])
@pytest.mark.parametrize("kind", [*KINDS, "adamw"])
def test_tables_are_trained_as_on_a_cpu(kind, l2):
    changes = {"weight_decay": 0.1} if kind == "adamw" else {}
    kind = kind.removesuffix("w")
    torch.manual_seed(0)
    ours = trained(CUDA, kind, l2, **changes)
    torch.manual_seed(0)
    torch.testing.assert_close(ours, trained("cpu", kind, l2, **changes), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("order", ["file", "shuffled", "blocks"])
def test_batches_come_from_the_gpus_memory_and_are_the_same(layout, order):
    plain = rows(layout, 50)
    assert has_room(plain, CUDA)
    loaders = [BatchLoader(plain, 8, order=order, seed=3) for _ in range(2)]
    loaders[1].to(CUDA)
    assert isinstance(loaders[1]._resident, DeviceRows)
    for ours, theirs in zip(*(loader.batches(2) for loader in reversed(loaders)), strict=True):
        for name in ("ids", "values", "labels", "groups", "weights"):
            assert getattr(ours, name).device.type == "cuda"
            assert torch.equal(getattr(ours, name).cpu(), getattr(theirs, name)), name


def test_rows_for_which_there_is_no_room_stay_where_they_are():
    free, _ = torch.cuda.mem_get_info()
    ids = np.lib.stride_tricks.as_strided(np.zeros(1, np.uint16), (free // 4, 2), (0, 0))  # so large, and takes none
    labels = np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (free // 4,), (0,))
    large = Rows(LAYOUTS[1], ids, np.empty((0, 0), np.float32), labels)
    assert not has_room(large, CUDA)


def changed_by_a_stop(tmp_path, name, **settings):
    """What a stop after step 13, and a second start, change in the end."""
    ends = []
    for out, stops in (("straight", False), ("again", True)):
        if stops:
            with pytest.raises(Stopped):
                fit(trainer(**settings), model(name), tmp_path / out, stopping_after(13))
        net = model(name)
        fit(trainer(**settings), net, tmp_path / out)
        final = {f"final.{name}": tensor.cpu() for name, tensor in net.state_dict().items()}
        ends.append({**state(tmp_path / out), **final})
    return differing(*ends)


@pytest.mark.parametrize("name", MODELS)
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, name):
    assert changed_by_a_stop(tmp_path, name, device="cuda", save_every=3, log_every=2) == []


@pytest.mark.parametrize("l2", [0.0, 0.01], ids=["", "l2"])
@pytest.mark.parametrize("kind", LAZY)
def test_each_optimizer_goes_on_bit_for_bit(tmp_path, kind, l2):
    settings = {"device": "cuda", "save_every": 3, "optimizer": LAZY[kind], "groups": builders.groups(l2=l2)}
    assert changed_by_a_stop(tmp_path, "nfm", **settings) == []


# Adam divides by the gradient's size, and makes a whole step of what is 0 there and a rounding here; descent does not
STILL = {
    "fm": {},
    "deepfm": {"dropout": 0.0},
    "nfm": {"pooling_dropout": 0.0, "hidden_dropout": 0.0},
    "dcnv2": {"dropout": 0.0},
}


@pytest.mark.parametrize("kind", ["sgd", "lazy_sgd"])
@pytest.mark.parametrize("name", STILL)
def test_a_training_scores_as_on_a_cpu(tmp_path, name, kind):
    scores = []
    for device in ("cpu", "cuda"):
        settings = {"device": device, "optimizer": LAZY[kind], "log_every": 5, "groups": builders.groups(lr=0.5)}
        scores.append(fit(trainer(**settings), model(name, **STILL[name]), tmp_path / device).best.values)
    assert scores[1] == pytest.approx(scores[0], abs=1e-3)
    assert scores[1]["log_loss"] == pytest.approx(scores[0]["log_loss"], abs=1e-4)


@pytest.mark.parametrize("kind", ["sgd", "lazy_sgd"])
@pytest.mark.parametrize("name", ["fm", "deepfm"])
def test_compiling_with_cuda_graphs_changes_no_score(tmp_path, name, kind):
    scores = []
    for compiled in (False, True):
        settings = {"device": "cuda", "compile": compiled, "max_epochs": 2, "batch_size": 120, "optimizer": LAZY[kind]}
        scores.append(fit(trainer(**settings), model(name, **STILL[name]), tmp_path / str(compiled)).best.values)
    assert scores[1] == pytest.approx(scores[0], abs=1e-4)


def test_bf16_learns_about_as_well_as_fp32(tmp_path):
    scores = {}
    for precision in ("fp32", "bf16"):
        settings = {"device": "cuda", "precision": precision, "max_epochs": 6}
        scores[precision] = fit(trainer(**settings), model("deepfm", dropout=0.0), tmp_path / precision).best.values
    assert scores["bf16"] != scores["fp32"]
    assert scores["bf16"]["auc"] == pytest.approx(scores["fp32"]["auc"], abs=0.03)


@pytest.mark.parametrize("at", [1, 4, 9])
def test_a_loss_that_is_not_finite_is_found_before_anything_is_saved(tmp_path, at):
    def spoil(batch, number):
        return replace(batch, values=batch.values * math.nan) if number == at else batch

    with pytest.raises(UserError, match=rf"step {at} .*the loss is nan.*the weights since then are lost"):
        fit(trainer(device="cuda", log_every=5, save_every=None), model("fm"), tmp_path, Changed(spoil))
    saved = sorted(path.name for path in (tmp_path / "checkpoints").glob("step-*"))
    assert saved == ([] if at < 9 else ["step-00000008"])


def test_its_memory_is_told(tmp_path):
    fit(trainer(device="cuda"), model("fm"), tmp_path)
    assert memory.peak()["cuda_mib"] > 0
    memory.forget_peak()
    held = torch.empty(8 * 2**20, device="cuda")  # 32 MiB
    assert memory.peak()["cuda_mib"] >= 32
    del held


def test_a_profile_knows_the_gpus_time(tmp_path):
    fit(trainer(device="cuda", profile=True), model("nfm"), tmp_path)
    assert '"kernel"' in (tmp_path / "trace.json").read_text()
