"""What a result depends on besides the config: chosen, said, recorded, and kept when a run goes on."""

import io
import json

import pytest
import torch
from rich.console import Console

from ctr import native
from ctr.app import stages
from ctr.app.restore import restore
from ctr.errors import UserError
from ctr.native import library
from ctr.training import device
from tests.app.compose import TINY, config, tiny_run
from tests.training.builders import records

NATIVE, PLAIN = "native kernels", "plain PyTorch (kernels=plain)"
AUTO = ["model=deepfm", "model.hidden_dims=[8]", "kernels=auto", "precision=auto", "trainer.log_every=1"]


class Machine:
    """What this one seems to have: bf16 units or none, a compiler or none."""

    def __init__(self, monkeypatch):
        self.monkeypatch, self.load = monkeypatch, library.load

    def has(self, units: str = "", compiler: bool = True) -> None:
        self.monkeypatch.setattr(device, "bf16_units", lambda _: units)
        self.monkeypatch.setattr(device, "bf16_is_faster", lambda: True)
        self.monkeypatch.setattr(native, "load", self.load if compiler else no_compiler)


def no_compiler():
    raise library.NoCompiler("no C++ compiler (g++) is installed")


@pytest.fixture
def machine(monkeypatch):
    one = Machine(monkeypatch)
    one.has()
    return one


@pytest.fixture
def compiler():
    if (said := native.use("auto")) != NATIVE:
        pytest.skip(said)


def said(out, *overrides: str) -> str:
    """The first line of a run of 20 steps."""
    console, everything = io.StringIO(), [*TINY, *overrides]
    stages.run(config(*everything), out, everything, Console(file=console, width=200))
    return console.getvalue().splitlines()[0]


def facts(out, *names: str) -> list:
    recorded = json.loads((out / "machine.json").read_text())
    recorded["precision"] = recorded["precision"]["train"]
    return [recorded[name] for name in names or ("threads", "kernels", "precision")]


def losses(out) -> list[float]:
    return [record["train/loss"] for record in records(out / "train") if "train/loss" in record]


@pytest.mark.parametrize(
    ("units", "overrides", "threads", "expected"),
    [
        ("", ["kernels=plain"], 1, f"{PLAIN}, fp32"),
        ("", ["kernels=plain", "precision=bf16"], 1, f"{PLAIN}, bf16 without units for it on this CPU"),
        ("AMX", ["kernels=plain", "precision=auto", "threads=2"], 2, f"{PLAIN}, bf16 by AMX"),
        ("AMX", ["kernels=plain", "precision=fp32", "threads=2"], 2, f"{PLAIN}, fp32"),
    ],
    ids=str,
)
def test_the_first_line_says_threads_kernels_and_precision_and_the_folder_holds_them(
    tmp_path, machine, units, overrides, threads, expected
):
    machine.has(units)
    assert f"{threads} thread{'s' * (threads > 1)}, {expected}" in said(tmp_path, "model=fm", *overrides)
    assert facts(tmp_path) == [threads, "plain", "bf16" if "bf16" in expected else "fp32"]
    assert torch.get_num_threads() == threads
    assert not native.in_use()
    assert facts(tmp_path, "versions")[0]["torch"] == torch.__version__


@pytest.mark.parametrize("kernels", ["auto", "native"])
def test_native_kernels_are_said_and_recorded(tmp_path, compiler, kernels):
    assert f"1 thread, {NATIVE}, fp32" in said(tmp_path, "model=fm", f"kernels={kernels}")
    assert facts(tmp_path) == [1, "native", "fp32"]


def test_without_a_compiler_auto_is_plain_and_says_why(tmp_path, machine):
    machine.has(compiler=False)
    assert "plain PyTorch, two to four times slower: no C++ compiler" in said(tmp_path, "model=fm")
    assert facts(tmp_path, "kernels") == ["plain"]


def test_native_kernels_without_a_compiler_are_refused_before_the_data_and_the_mended_command_runs(tmp_path, machine):
    machine.has(compiler=False)
    with pytest.raises(UserError, match=r"kernels=native: no C\+\+ compiler .*; install g\+\+ .* or use kernels=plain"):
        tiny_run(tmp_path, "model=fm", "kernels=native")
    assert not (tmp_path / "schema.json").exists()
    assert PLAIN in said(tmp_path, "model=fm", "kernels=plain")


@pytest.mark.parametrize(
    ("override", "choices"),
    [
        ("kernels=nativ", "auto, native, plain"),
        ("trainer.precision=fp8", "auto, fp32, bf16"),
        ("threads=0", "at least 1"),
    ],
)
def test_what_is_no_choice_is_refused(tmp_path, override, choices):
    with pytest.raises(UserError, match=f"{override.split('=')[0]}.*{choices}"):
        tiny_run(tmp_path, override)


# --- going on ---


@pytest.mark.parametrize(
    ("began", "later"),
    [({"compiler": False}, {"units": "AMX"}), ({"units": "AMX", "compiler": False}, {}), ({"units": "AMX"}, {})],
    ids=["plain fp32", "plain bf16", "native bf16"],
)
def test_a_run_goes_on_as_it_began_though_auto_would_now_choose_otherwise(tmp_path, machine, compiler, began, later):
    """Bit for bit as the run whose machine stays the same, and other than one that was begun on the later machine."""
    for name, first, second in [("stays", began, began), ("changes", began, later), ("other", later, later)]:
        machine.has(**first)
        tiny_run(tmp_path / name, *AUTO, "trainer.max_steps=10")
        recorded = facts(tmp_path / name)
        machine.has(**second)
        tiny_run(tmp_path / name, *AUTO)
        assert facts(tmp_path / name) == recorded
        assert len(losses(tmp_path / name)) == 20
    assert losses(tmp_path / "changes") == losses(tmp_path / "stays")
    assert facts(tmp_path / "other") != facts(tmp_path / "stays")
    assert losses(tmp_path / "other") != losses(tmp_path / "stays")


def test_a_run_goes_on_with_its_threads_though_torch_would_now_choose_others(tmp_path):
    torch.set_num_threads(2)
    tiny_run(tmp_path, *AUTO, "threads=null", "trainer.max_steps=10")
    torch.set_num_threads(1)
    tiny_run(tmp_path, *AUTO, "threads=null")
    assert (facts(tmp_path, "threads"), torch.get_num_threads()) == ([2], 2)


def test_a_run_that_goes_on_without_the_compiler_that_it_began_with_is_told_what_helps(tmp_path, machine, compiler):
    tiny_run(tmp_path, *AUTO, "trainer.max_steps=10")
    machine.has(compiler=False)
    with pytest.raises(UserError, match=r"native.*no C\+\+") as error:
        tiny_run(tmp_path, *AUTO)
    assert "use kernels=plain" not in str(error.value)  # that would be refused: it is another config


def test_where_nothing_was_trained_yet_the_mended_command_decides(tmp_path):
    with pytest.raises(UserError, match="dropout"):
        tiny_run(tmp_path, "model=fm", "model.embedding_dropout=1.5", "kernels=plain")
    assert "2 threads, plain PyTorch (kernels=plain), bf16" in said(
        tmp_path, "model=fm", "threads=2", "kernels=plain", "precision=bf16"
    )


def test_the_precision_of_a_trainer_is_its_own(tmp_path, machine):
    machine.has("AMX")
    tiny_run(tmp_path / "own", *AUTO, "precision=fp32", "trainer.precision=bf16")
    for precision in ("fp32", "bf16"):
        tiny_run(tmp_path / precision, *AUTO, f"precision={precision}")
    assert losses(tmp_path / "own") == losses(tmp_path / "bf16") != losses(tmp_path / "fp32")
    assert facts(tmp_path / "own", "precision") == ["bf16"]


@pytest.mark.parametrize(("kernels", "threads"), [("plain", 2), ("native", 1)])
def test_evaluation_restores_threads_and_kernels(tmp_path, compiler, kernels, threads):
    tiny_run(tmp_path, "model=fm", f"kernels={kernels}", f"threads={threads}")
    native.use("plain" if kernels == "native" else "auto")
    torch.set_num_threads(3 - threads)
    restore(tmp_path)
    assert (torch.get_num_threads(), native.in_use()) == (threads, kernels == "native")
