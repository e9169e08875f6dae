"""Every command of the README, of CONTRIBUTING and of docs/ runs."""

import os
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from ctr.batch import SPLITS
from ctr.data import from_frames
from tests.app.compose import TINY
from tests.conftest import ROOT

TEXTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "docs/data.md",
        "docs/own_model.md",
        "docs/performance.md",
        "docs/results/README.md",
        "docs/training.md",
        "docs/workflow/multirun.md",
        "docs/workflow/one_pass.md",
        "docs/workflow/tensorboard.md",
    )
}
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

BUDGET = ["trainer.max_steps=3", "threads=1"]
ROWS = "label,user,price,tags\n" + "".join(f"{i % 2},u{i % 3},{i}.5,a|b\n" for i in range(40))
LIBFM = "".join(f"{i % 2} {i % 7}:1 {10 + i % 5}:0.5\n" for i in range(40))


def commands() -> list[str]:
    """The lines of all bash blocks, and all `python ...` and `make ...` in the text."""
    found = []
    for text in TEXTS.values():
        blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.S)
        found += [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
        prose = " ".join(re.sub(r"```.*?```", "", text, flags=re.S).split())
        found += re.findall(r"`((?:python|make) [^`]*)`", prose)
    return sorted({command for command in found if command and "..." not in command})


PYTHON = [command for command in commands() if command.startswith("python ")]
MAKE = [command for command in commands() if command.startswith("make ")]


def test_the_readme_has_commands_and_no_other_kind():
    assert len(PYTHON) >= 8
    assert len(MAKE) >= 3
    assert sorted(PYTHON + MAKE) == commands()


def run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
    )


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """What stands for the texts' <run>, <prepared>, my_data, <folder>, outputs, conf and <mine>."""
    tmp_path = tmp_path_factory.mktemp("readme")
    data = tmp_path / "my_data"
    data.mkdir()
    for split in SPLITS:
        (data / f"{split}.csv").write_text(ROWS)
        (data / f"{split}.libfm").write_text(LIBFM)
        (data / {"valid": "frappe.validation.libfm"}.get(split, f"frappe.{split}.libfm")).write_text(LIBFM)
    for name in ("run", "other"):
        model = [] if name == "run" else ["model=lr"]
        assert run(["train.py", *TINY, *model, f"hydra.run.dir={tmp_path}/outputs/{name}"]).returncode == 0
    own = own_model(tmp_path)
    words = ["--config-dir", str(own), "model=mine", "trust=[my_package]", f"hydra.run.dir={tmp_path}/outputs/mine"]
    assert run(["train.py", *words, *TINY], PYTHONPATH=str(tmp_path)).returncode == 0
    prepared = from_frames(
        *[pd.read_csv(data / f"{split}.csv") for split in SPLITS],
        fields={"user": "categorical"},
        cache=str(tmp_path / "cache"),
    ).folder
    return {
        "<run>": f"{tmp_path}/outputs/run",
        "<prepared>": str(prepared),
        "my_data": str(data),
        "<folder>": str(data),
        "outputs": f"{tmp_path}/outputs",
        "conf": str(own),
        "<mine>": f"{tmp_path}/outputs/mine",
    }


def own_model(folder: Path) -> Path:
    """The files of docs/own_model.md, each of which begins with its path; returns the folder of configs."""
    for path, text in re.findall(r"```\w+\n# (\w+/[\w/.]+)\n(.*?)```", TEXTS["docs/own_model.md"], flags=re.S):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "my_package" / "__init__.py").touch()
    return folder / "conf"


@pytest.mark.parametrize("command", PYTHON)
def test_every_python_command_runs(command, places, tmp_path, request):
    arguments = [places.get(word, word) for word in shlex.split(command)[1:]]
    arguments = [
        re.sub(r"=(my_data|<folder>|<prepared>)$", lambda match: f"={places[match[1]]}", word) for word in arguments
    ]
    if not torch.cuda.is_available():
        arguments = ["device=cpu" if word == "device=cuda" else word for word in arguments]
    if "hydra/launcher=joblib" in arguments:
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="of the extra `launch`")
    environment = {"PYTHONPATH": str(Path(places["conf"]).parent)} if "my_package" in command else {}
    if (
        "dataset=frappe" in arguments
        or arguments[-1] == "frappe"
        or "sweep=frappe_tuned" in arguments
        or "fuxictr" in arguments
    ):
        environment["CTR_DATA"] = str(request.getfixturevalue("frappe").parent)
    if arguments[0] == "train.py" and "--help" not in arguments:
        tiny = (
            []
            if any(word.startswith("dataset=") for word in arguments)
            else [w for w in TINY if w.startswith("dataset.")]
        )
        arguments += [*tiny, *BUDGET, f"hydra.run.dir={tmp_path}/new", f"hydra.sweep.dir={tmp_path}/sweep"]
    if arguments[0] == "scripts/reproduce.py" and "--list" not in arguments:
        arguments += ["--report", "--root", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    if arguments[0] == "scripts/tune.py" and "--list" not in arguments:
        arguments += ["--trials", "1", BUDGET[0], "--out", str(tmp_path / "search")]
    if "fuxictr" in arguments:
        pytest.importorskip("model_zoo", reason="FuxiCTR's models cannot be imported; tests/peers/README.md")
        arguments += ["trainer.max_epochs=1"]
    if arguments[0] == "scripts/baseline.py":
        tiny = [] if "fuxictr" in arguments else [w for w in TINY if w.startswith("dataset.")]
        arguments += [*tiny, "--out", str(tmp_path / "run")]
    if arguments[0] == "scripts/inspect_data.py":
        arguments += ["--out", str(tmp_path / "page.html")]
    result = run(arguments, **environment)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("command", MAKE)
def test_every_make_target_exists_and_its_arguments_compose(command):
    words = shlex.split(command)
    target, extra = words[1], [word for word in words[2:] if word.startswith("ARGS=")]
    assert re.search(rf"^{target}:.*##", MAKEFILE, flags=re.M), f"no target {target}"
    if target == "train":
        arguments = shlex.split(extra[0].removeprefix("ARGS=")) if extra else []
        assert run(["train.py", *arguments, "--cfg", "job"]).returncode == 0


def test_the_table_of_models_is_what_the_pages_and_their_tests_say():
    written = runpy.run_path(str(ROOT / "scripts/model_table.py"))["written"]
    assert written(TEXTS["README.md"]) == TEXTS["README.md"], "run python scripts/model_table.py"


def test_every_model_has_a_row_with_a_paper_and_a_test():
    rows = [line.split(" | ") for line in TEXTS["README.md"].splitlines() if line.startswith("| `")]
    named = {name: row for row in rows for name in re.findall("`([^`]+)`", row[0])}
    for path in (ROOT / "configs" / "model").glob("*.yaml"):
        _, what, paper, held = named[path.stem]
        assert min(len(what), len(paper), len(held)) > 3, path.stem


def test_every_file_that_the_texts_name_exists():
    for name, text in TEXTS.items():
        for path in re.findall(r"`((?:configs|src|scripts|tests)/[\w./]+)`", text):
            if "mymodel" not in path:
                assert (ROOT / path).exists(), f"{name} names {path}"


def test_the_python_of_the_texts_runs():
    blocks = [block for text in TEXTS.values() for block in re.findall(r"```python\n(.*?)```", text, flags=re.S)]
    blocks = [block for block in blocks if not block.startswith("# my_package")]  # which a command of its text runs
    assert blocks
    for block in blocks:
        frame = pd.DataFrame({"click": [1, 0], "user": ["ann", "bob"], "price": [1.5, 2.0]})
        known = dict.fromkeys(SPLITS, frame)
        exec(block, known)  # noqa: S102
        assert len(known["data"].rows("train")) == 2
