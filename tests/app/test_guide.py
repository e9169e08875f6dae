"""Help about configs: every choice is told of and explained, differences and mistakes are found, and without torch."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ctr.app.config import matches
from ctr.app.guide import classes, settings
from ctr.app.guide.check import check
from ctr.app.guide.diff import diff
from ctr.app.guide.groups import group, groups, inherited, listing, target
from ctr.app.guide.show import of_the_whole, show
from ctr.errors import UserError
from tests.app.compose import tiny_run
from tests.conftest import ROOT

CHOICES = [(name, choice) for name, one in groups().items() for choice in one.choices]
PARTS = [(name, choice) for name, choice in CHOICES if not of_the_whole(one := groups()[name], one.file(choice))]
DOCS = (ROOT / "docs/workflow/configs.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("  #")[0].strip()
    for block in re.findall(r"```bash\n(.*?)```", DOCS, flags=re.S)
    for line in block.splitlines()
    if line.startswith("python ")
]
NO_TORCH = "import runpy, sys\ntry: runpy.run_path(sys.argv[0], run_name='__main__')\nexcept SystemExit: pass\n"
NO_TORCH += "print([name for name in ('torch', 'pandas', 'matplotlib') if name in sys.modules])"


def alone(*arguments: str, **environment: str) -> tuple[str, str]:
    """What a process of its own says, and which heavy modules it has imported."""
    code = f"import sys; sys.argv = {list(arguments)!r}\n{NO_TORCH}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    said, _, heavy = ran.stdout.rstrip("\n").rpartition("\n")
    return said, heavy


def run_script(monkeypatch, capsys, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["configs.py", *arguments])
    runpy.run_path(str(ROOT / "scripts/configs.py"), run_name="__main__")
    return capsys.readouterr().out


@pytest.mark.parametrize("words", ["ls", "ls model", "show model/nfm", "show optimizer/adam", "diff nfm_frappe seed=2"])
def test_questions_are_answered_without_torch(words):
    said, heavy = alone("scripts/configs.py", *words.split())
    assert heavy == "[]"
    assert len(said.splitlines()) > 5


def test_options_stand_between_words_and_a_trusted_package_is_one_word(monkeypatch, capsys):
    said = run_script(monkeypatch, capsys, "draw", "model=fm", "--format", "mermaid", "model.embedding_dim=3")
    assert said == run_script(monkeypatch, capsys, "draw", "--format=mermaid", "model=fm", "model.embedding_dim=3")
    page = str(ROOT / "configs/model/nfm.yaml")
    assert "is right" in run_script(monkeypatch, capsys, "check", "--trust", "json", "--trust", "csv", page)


def test_help_comes_without_torch():
    said, heavy = alone("scripts/configs.py", "--help")
    assert "draw model=nfm" in said
    assert heavy == "[]"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("model=dee", {"model=deepcrossing", "model=deepfm"}), ("trainer.max_", {"trainer.max_epochs="})],
)
def test_tab_completion_needs_no_torch(typed, offered):
    said, heavy = alone("train.py", "-sc", "query=bash", COMP_LINE=f"python train.py {typed}", COMP_POINT="99")
    assert offered <= set(said.split())
    assert heavy == "[]"


def test_every_choice_is_listed_with_a_line_about_it():
    for name, one in groups().items():
        lines = listing(name).splitlines()
        assert len(lines) == 1 + len(one.choices)
        assert all(len(line.split(maxsplit=1)[1]) > 5 for line in lines[1:]), name
    assert "nfm_frappe_bars" in listing(None)
    assert "optimizer@trainer.optimizer=...  (auto unless" in listing("optimizer")
    assert "He and Chua" in next(line for line in listing("model").splitlines() if line.startswith("  nfm "))


@pytest.mark.parametrize(("name", "choice"), PARTS)
def test_what_is_shown_is_yaml_with_every_key_of_the_file_explained(name, choice):
    shown = show([f"{name}/{choice}"])
    path = group(name).file(choice)
    expected = {}
    for one in inherited(path):
        expected |= {key: value for key, value in (yaml.safe_load(one.read_text()) or {}).items() if key != "defaults"}
    assert yaml.safe_load(shown) == expected
    if not (named := target(path)) or not named.startswith("ctr."):
        return
    lines = shown.splitlines()
    for key in expected.keys() - {"_target_", "_partial_"}:
        place = next(i for i, line in enumerate(lines) if line.startswith(f"{key}:"))
        comment = " ".join(comment_above(lines, place))
        assert len(comment.split(". ", 1)[-1]) > 5, f"{name}/{choice} {key}: {comment}"


def comment_above(lines: list[str], place: int) -> list[str]:
    """The comment right above a line."""
    start = place
    while lines[start - 1].startswith("#"):
        start -= 1
    return lines[start:place]


@pytest.mark.parametrize("name", sorted({named for one in PARTS if (named := target(group(one[0]).file(one[1])))}))
def test_types_read_from_the_source_are_those_of_the_classes(name):
    """In words, beside what `check` would say of the class that is imported."""
    import inspect
    import typing

    from ctr.app.config import TARGETS, _say

    if not name.startswith("ctr."):
        assert classes.find(name).arguments == {}
        return
    hints = typing.get_type_hints(TARGETS[name].__init__)
    known = {key: hints[key] for key in inspect.signature(TARGETS[name]).parameters if key != "schema"}
    found = classes.find(name).arguments
    assert list(found) == list(known)
    for key, hint in known.items():
        if "_target_" not in found[key]:
            assert found[key] == _say(hint), key
        else:
            assert not matches(1.5, hint)


def test_who_sets_a_key_otherwise_is_told():
    shown = show(["model/nfm"])
    assert "# Set to 0.4 in experiment/nfm_frappe_bars; 0.5 in experiment/nfm_frappe_tuned.\nhidden_dropout" in shown
    assert settings.experiments("nfm") == ["nfm_frappe", "nfm_frappe_bars", "nfm_frappe_tuned"]
    assert settings.experiments("fm") == ["fm_frappe_bars", "fm_frappe_tuned"]  # an experiment that builds on another
    assert "# Set to 128 in experiment/nfm_frappe.\nbatch_size: null\n" in show(["trainer/default"])


def test_a_protocol_is_shown_with_all_that_it_pins():
    shown = show(["trainer/bars"])
    assert "max_epochs: 100" in shown
    assert "start: zero  # default: mean" in shown


def test_a_whole_config_shows_what_a_bare_command_would_not_have():
    shown = show(["experiment=nfm_frappe", "seed=7"])
    assert "  embedding_dim: 128  # default: 10" in shown
    assert "\nseed: 7  # default: 1\n" in shown
    assert "\n  init_std: 0.01\n" in shown
    assert yaml.safe_load(shown)["trainer"]["batch_size"] == 128
    assert (
        show(["experiment/nfm_frappe"]).count("# default:") == shown.count("# default:") - 2
    )  # seed, and the trainer's


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nfm"], "say GROUP/CHOICE"),
        (["model/nfmm"], "did you mean 'nfm'"),
        (["modle/nfm"], "did you mean 'model'"),
        (["model=nfmm"], "did you mean 'nfm'"),
        (["model.embeding_dim=3"], "did you mean 'embedding_dim'"),
    ],
)
def test_what_is_not_there_is_named_with_the_nearest(words, message):
    with pytest.raises(UserError, match=message):
        show(words)


def test_runs_experiments_and_commands_are_compared(tmp_path):
    tiny_run(tmp_path / "run", "seed=3", "model.embedding_dim=4")
    rows = [line.split() for line in diff(str(tmp_path / "run"), "trainer=debug dataset.num_fields=4").splitlines()]
    assert ["model.embedding_dim", "4", "10"] in rows
    assert ["dataset.num_train", "2000", "200000"] in rows
    assert ["seed", "3", "in", "A,", "1", "in", "B"] in rows
    assert not [row for row in rows if row and row[0].startswith(("dataset.num_fields", "trainer.max_steps", "stages"))]
    again = diff("model=nfm seed=2", "model=nfm")
    assert "no key differs" in again
    assert "seed  2 in A, 1 in B" in again
    between = diff("fm_frappe_bars", "experiment=nfm_frappe_bars").splitlines()
    assert ["model.hidden_dims", "-", "[400,", "400,", "400]"] in [line.split() for line in between]


@pytest.mark.parametrize("words", ["outputs/no/such/run", "nfm_frape", ""])
def test_what_is_no_config_is_refused(words):
    with pytest.raises(UserError, match=r"neither a run's folder"):
        diff(words, "seed=1")


def test_a_broken_runs_config_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("- 1\n")
    with pytest.raises(UserError, match="not the config of a run"):
        diff(str(tmp_path), "seed=1")


@pytest.mark.parametrize(
    ("name", "choice"), [one for one in CHOICES if one[0] in ("trainer", "stages", "tuned", "task")]
)
def test_files_that_are_there_are_right(name, choice):
    found = check(group(name).file(choice))
    assert found.wrong == []
    assert found.what == f"a choice of {name}"


def test_a_template_says_what_a_command_has_to_fill_in():
    assert check(ROOT / "configs/dataset/table.yaml").to_say == ["dataset.fields"]
    assert check(ROOT / "configs/train.yaml").wrong == []


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


EXPERIMENT = "# @package _global_\ndefaults:\n  - override /model: nfm\n"


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (EXPERIMENT + "model: {embeding_dim: 3}\n", ["did you mean 'embedding_dim'"]),
        (
            EXPERIMENT + "model: {activation: relux}\ntrainer: {max_epochs: many}\nclaimm: 1\n",
            ["one of relu, tanh, sigmoid, identity, found 'relux'", "max_epochs: expected a whole number", "'claim'"],
        ),
        (EXPERIMENT.replace("nfm", "nfmm"), ["did you mean 'nfm'"]),
        (EXPERIMENT + "claim: {split: tset, metric: auc, low: 0, high: 1, source: x}\n", ["split valid or test"]),
        ("_target_: ctr.models.LR\nbias: true\nbies: 1\n", ["LR has no argument 'bies'"]),
        ("_target_: ctr.models.LR\n", ["LR needs this argument"]),
        ("_target_: ctr.models.LRR\nbias: true\n", ["did you mean 'ctr.models.LR'"]),
        ("defaults: [table]\nfields: {a: categorical}\ngroupp: x\n", ["Table has no argument 'groupp'"]),
        (
            "defaults: [lazy_adam]\nlr: fast\n",
            ["optimizer.lr: expected a number, found 'fast'", "trainer.groups: expected a map"],
        ),
        ("_target_: torch.optim.Adam\n_partial_: true\nlr: 1.0\nlerning: 1\n", ["Adam has no argument 'lerning'"]),
        ("_target_: torch.optim.Adam\n_partial_: true\n", ["Interpolation key 'optimizer.lr' not found"]),
    ],
)
def test_everything_wrong_in_a_file_from_anywhere_is_told(text, messages, tmp_path):
    found = check(written(tmp_path, text))
    assert len(found.wrong) == len(messages)
    for message in messages:
        assert any(message in wrong for wrong in found.wrong), found.wrong


@pytest.mark.parametrize(
    "text",
    [
        EXPERIMENT + "model: {embedding_dim: 3}\n",
        "_target_: ctr.models.LR\nbias: false\n",
        "defaults: [table]\nroot: here\nfields: {a: categorical}\n",
        "defaults: [default]\nmax_epochs: 3\n",
    ],
)
def test_a_right_file_from_anywhere_is_right(text, tmp_path):
    assert check(written(tmp_path, text)).wrong == []


def test_a_runs_config_is_checked_as_it_is(tmp_path):
    tiny_run(tmp_path)
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    assert check(tmp_path / "config.yaml").wrong == []
    config["model"]["embedding_dim"] = config["stages"]["train"]["model"]["embedding_dim"] = "x"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert check(tmp_path / "config.yaml").wrong == ["model.embedding_dim: expected a whole number, found 'x'"]


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1,\n", "is no YAML"), ("- 1\n", "keys with values were expected"), ("a: 1\n", "what is this for")],
)
def test_a_file_that_is_nothing_we_know_is_refused(text, message, tmp_path):
    with pytest.raises(UserError, match=message):
        check(written(tmp_path, text))


def test_classes_of_a_package_of_your_own_need_trust(tmp_path, monkeypatch):
    (tmp_path / "somebodys.py").write_text("class Model:\n    def __init__(self, *, schema, size: int): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    path = written(tmp_path, "_target_: somebodys.Model\nsize: 3\n")
    assert "needs trust=" in check(path, "model").wrong[0]
    assert check(path, "model", ["somebodys"]).wrong == []
    path = written(tmp_path, "_target_: somebodys.Model\nsize: x\n")
    assert check(path, "model", ["somebodys"]).wrong == ["model.size: expected a whole number, found 'x'"]


def test_a_wrong_file_ends_with_status_1(tmp_path, monkeypatch, capsys):
    path = written(tmp_path, "_target_: ctr.models.LR\n")
    monkeypatch.setattr(sys, "argv", ["configs.py", "check", str(path)])
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_path(str(ROOT / "scripts/configs.py"), run_name="__main__")
    assert stopped.value.code == 1
    assert "LR needs this argument" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_page_runs(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("CTR_DATA", "nowhere")
    words = shlex.split(command)[2:]
    if "<run>" in words:
        tiny_run(tmp_path / "run")
    words = [str(tmp_path / "run") if word == "<run>" else word for word in words]
    words = [str(tmp_path / word) if word.endswith(".svg") else word for word in words]
    words = [str(ROOT / word) if word.startswith("configs/") else word for word in words]
    assert run_script(monkeypatch, capsys, *words)


def test_the_page_has_the_commands_and_the_line_that_installs_completion():
    assert len(COMMANDS) == 10
    assert 'eval "$(python train.py -sc install=bash)"' in DOCS
    said, heavy = alone("train.py", "-sc", "install=bash")
    assert "complete" in said
    assert heavy == "[]"
