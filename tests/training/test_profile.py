"""The profile: where the time is counted, what it leaves, and that it changes nothing."""

import io
import json
import re
import time
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from ctr.training import Trainer, checkpoint, profile
from ctr.training.dense import OPTIMIZERS
from ctr.training.rules import AdamRule
from tests.training import builders
from tests.training.builders import Changed, Stopped, model, records, trainer
from tests.training.tables import lazy

ROW = re.compile(r"│ ([a-z ]+?) +│ +([\d.]+) │ +([\d.]+)% │")
FORMS = {"dense": builders.optimizer("adam"), "rows": lazy("adam", eps=1e-8)}
both_forms = pytest.mark.parametrize("form", FORMS)


def fit(out, net=None, on=None, **settings):
    """What a profiled training says; and the progress, unless it was stopped."""
    said, progress = io.StringIO(), None
    try:
        one = trainer(**{"profile": True, "max_steps": 9, **settings})
        progress = one.fit(net or model("deepfm"), on or builders.data(), out, Console(file=said, width=200))
    except Stopped:
        pass
    return said.getvalue(), progress


def table(said: str) -> dict[str, tuple[float, float]]:
    """Of each phase its milliseconds a step and its share in %."""
    return {name: (float(ms), float(share)) for name, ms, share in ROW.findall(said)}


def nothing_is_left(net) -> bool:
    hooks = [hook for module in net.modules() for hook in (*module._forward_hooks, *module._forward_pre_hooks)]
    return profile._active is None and not hooks


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self, monkeypatch):
        self.now, self.monkeypatch = 0.0, monkeypatch
        monkeypatch.setattr(profile, "time", SimpleNamespace(perf_counter=lambda: self.now))

    def add(self, seconds: float) -> None:
        self.now += seconds

    def slow(self, owner, name: str, seconds: float) -> None:
        """A call of this takes so long."""
        inner = getattr(owner, name)
        self.monkeypatch.setattr(owner, name, lambda *args, **kw: (self.add(seconds), inner(*args, **kw))[1])


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


@both_forms
def test_each_phase_counts_what_happens_in_it_and_nothing_counts_twice(tmp_path, clock, form):
    """8 steps, then an evaluation and a checkpoint; each lookup is inside of forward, both tables' are counted."""
    net = model("deepfm")
    for block in (net.embedding, net.linear):
        block.register_forward_hook(lambda module, *_: clock.add(2.0 * module.training))
    net.register_forward_hook(lambda module, inputs, logits: clock.add(3.0 * module.training))
    net.head.weight.register_hook(lambda grad: clock.add(5.0))
    clock.slow(torch.nn.utils, "get_total_norm", 6.0)
    clock.slow(OPTIMIZERS["Adam"], "step", 7.0)
    clock.slow(AdamRule, "step", 4.0)
    clock.slow(Trainer, "evaluate", 80.0)
    clock.slow(checkpoint, "save", 160.0)
    slow = Changed(lambda batch, step: (clock.add(1.0), batch)[1])
    said, _ = fit(tmp_path, net, slow, max_steps=8, optimizer=FORMS[form])
    expected = {
        "load": 1, "lookup": 4, "forward": 3, "backward": 5, "clip": 6, "table update": 8 * (form == "rows"),
        "network update": 7, "evaluation": 10, "checkpoint": 20, "other": 0,
    }  # fmt: skip
    found, total = table(said), sum(expected.values())
    assert "8 steps" in said
    assert {name: ms for name, (ms, _) in found.items()} == {name: 1000 * s for name, s in expected.items()}
    assert {name: share for name, (_, share) in found.items()} == pytest.approx(
        {name: 100 * seconds / total for name, seconds in expected.items()}, abs=0.051
    )


def test_finding_the_rows_of_a_batch_counts_to_the_lookup(tmp_path, clock):
    from ctr.training import rows

    clock.slow(rows, "distinct", 3.0)
    clock.slow(rows, "gather", 1.0)
    said, _ = fit(tmp_path, optimizer=FORMS["rows"])
    assert {name: ms for name, (ms, _) in table(said).items() if ms} == {"lookup": 5000}


def test_a_phase_inside_a_phase_interrupts_it(tmp_path, clock):
    with profile.Profile(
        True, model("fm"), torch.device("cpu"), tmp_path, Console(quiet=True), whole=False
    ) as measured:
        clock.add(1)
        with profile.phase("forward"):
            clock.add(2)
            with profile.phase("lookup"):
                clock.add(4)
            with profile.phase("lookup"), profile.phase("load"):
                clock.add(8)
            clock.add(16)
        clock.add(32)
    spent = {name: seconds for name, seconds in measured.seconds.items() if seconds}
    assert spent == {"other": 33, "forward": 18, "lookup": 4, "load": 8}


@both_forms
def test_the_phases_of_a_training_make_up_its_time(tmp_path, form):
    began = time.perf_counter()
    slow = Changed(lambda batch, step: (time.sleep(0.05), batch)[1])
    said, progress = fit(tmp_path, on=slow, max_steps=8, optimizer=FORMS[form])
    found, passed = table(said), time.perf_counter() - began
    assert list(found) == list(profile.PHASES)
    assert sum(share for _, share in found.values()) == pytest.approx(100, abs=0.5)
    total = 8 * sum(ms for ms, _ in found.values()) / 1000
    assert progress.seconds - 0.1 < total < passed
    assert found["load"][0] > 50
    assert min(found[name][0] for name in ("lookup", "forward", "backward", "network update", "evaluation")) > 0
    assert (found["table update"][0] > 0.1) == (form == "rows")


@both_forms
@pytest.mark.parametrize("steps", [9, 10, 11, 15, 20, 24])
def test_the_trace_that_is_named_is_there_with_all_phases_of_a_step(tmp_path, steps, form):
    """Of a training that ends before the trace begins, within it and behind it."""
    said, _ = fit(tmp_path, max_steps=steps, optimizer=FORMS[form])
    path = tmp_path / profile.TRACE
    assert path.exists() == (str(path) in said)
    assert path.exists() or steps <= profile.FIRST
    if path.exists():
        names = {event.get("name") for event in json.loads(path.read_text())["traceEvents"]}
        assert {"load", "lookup", "forward", "backward", "clip", "network update"} - names == set()


@pytest.mark.parametrize("stopped", [5, 13])
def test_an_error_leaves_no_hook_and_no_profile_behind_and_still_shows_the_table(tmp_path, stopped):
    net = model("deepfm")
    said, _ = fit(tmp_path, net, builders.stopping_after(stopped), max_steps=None)
    assert f"{stopped} steps" in said
    assert nothing_is_left(net)
    assert (tmp_path / profile.TRACE).exists() == (stopped > profile.FIRST)


def test_an_error_within_a_lookup_does_too(tmp_path):
    net = model("deepfm")

    def fail(*_):
        raise Stopped

    handle = net.embedding.register_forward_hook(fail)
    fit(tmp_path, net)
    handle.remove()
    assert nothing_is_left(net)


@both_forms
def test_a_profile_changes_no_loss_and_no_weight_and_is_silent_when_off(tmp_path, form):
    nets = {}
    for on in (True, False):
        nets[on] = model("deepfm", dropout=0.5)
        said, _ = fit(tmp_path / str(on), nets[on], profile=on, max_steps=None, optimizer=FORMS[form])
        assert bool(table(said)) == on == (tmp_path / str(on) / profile.TRACE).exists()
        assert nothing_is_left(nets[on])
    one, other = (records(tmp_path / str(on), "train/examples_per_second") for on in (True, False))
    assert one == other
    assert builders.differing(*(net.state_dict() for net in nets.values())) == []
