"""The command line, from outside: one message for a mistake, and runs that a kill does not hurt."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from tests.app.compose import TINY
from tests.conftest import ROOT

ENVIRONMENT = {
    **{k: v for k, v in os.environ.items() if k not in ("CTR_DATA", "HYDRA_FULL_ERROR")},
    "OMP_NUM_THREADS": "1",
}


def python(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, **changes},
        timeout=300,
    )


MISTAKES = [
    (["modle=fm"], "did you mean 'model'"),
    (["model=nfmm"], "did you mean 'nfm'"),
    (["experiment=nope"], "there are afm_frappe_bars"),
    (["model.embeding_dim=3"], "did you mean 'embedding_dim'"),
    (["+model.embeding_dim=3"], "did you mean 'embedding_dim'"),
    (["model.embedding_dim=large"], "expected a whole number, found 'large'"),
    (["model.embedding_dropout=1.5"], "dropout must be"),
    (["model._target_=torch.load"], "not allowed"),
    (["precision=fp8"], "one of auto, fp32, bf16"),
    (["device=cuda:99"], "use device=cpu"),
    (["trainer.monitor=aucc"], "did you mean 'auc'"),
    (["trainer.optimizer.lr=1e30"], "the weights were not updated"),
    (["dataset=frappe", "dataset.root=no/such/folder"], "which is no folder"),
    (["dataset=table"], "dataset.fields has no value"),
    (["+trust_me=1"], "nothing reads this key"),
    (["threads=many"], "threads: expected a whole number or null"),
    (["model.embedding_dim=-1"], "embedding_dim must be at least 1"),
    (["trainer.optimizer.eps=-1"], "trainer.optimizer (LazyAdam): "),
    (["model=nfm", "trainer.batch_size=1"], "batch norm has no variance"),
    (["trainer.order=random"], "one of file, shuffled, blocks"),
    (["claim={split: tset, metric: auc, low: 0, high: 1, source: x}"], "split valid or test"),
    (["model=fnn", "stages.pretrain.model.embedding_dim=3"], "embedding.table.weight"),
    (["model=fnn", "stages.pretrain.from=no/such/run"], "not the folder of a run"),
]


@pytest.mark.parametrize(
    ("overrides", "message"), MISTAKES, ids=lambda value: " ".join(value or [""]) if isinstance(value, list) else ""
)
def test_a_mistake_ends_in_one_message_and_no_traceback(overrides, message, tmp_path):
    tiny = TINY if not any("dataset=" in override for override in overrides) else ["trainer=debug"]
    result = python("train.py", *tiny, *overrides, f"hydra.run.dir={tmp_path}")
    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr + result.stdout
    assert "Error executing job" not in result.stderr  # with which Hydra would repeat the whole command


def test_a_traceback_is_there_for_those_who_ask():
    for mistake in ("model=nfmm", "trainer.monitor=aucc"):
        assert "Traceback" in python("train.py", *TINY, mistake, HYDRA_FULL_ERROR="1").stderr


def test_help_and_config_come_without_importing_torch():
    code = "import sys; sys.argv = ['train.py', '--help']; import runpy\n"
    code += (
        "try: runpy.run_path('train.py', run_name='__main__')\nexcept SystemExit: pass\nprint('torch' in sys.modules)"
    )
    result = python("-c", code)
    assert "Choices of the groups" in result.stdout
    assert result.stdout.strip().endswith("False")


def test_a_killed_run_goes_on_and_ends_bit_identical(tmp_path):
    """FNN with its FM stage, dropout and batch norm, killed twice: within each stage."""
    command = ["train.py", *TINY, "model=fnn", "model.hidden_dims=[8]", "model.batch_norm=true"]
    command += ["dataset.num_train=20000", "trainer.max_steps=150", "stages.pretrain.trainer.max_steps=150"]
    command += ["trainer.max_epochs=9", "trainer.patience=null", "stages.pretrain.trainer.patience=null"]
    command += ["trainer.save_every=7", "stages.pretrain.trainer.save_every=7"]
    assert python(*command, f"hydra.run.dir={tmp_path / 'whole'}").returncode == 0
    killed = tmp_path / "killed"
    for stage in ("pretrain", "train"):
        process = subprocess.Popen(
            [sys.executable, *command, f"hydra.run.dir={killed}"], cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL
        )
        wait_for_a_checkpoint(killed / stage / "checkpoints")
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run was over before it could be killed"
    result = python(*command, f"hydra.run.dir={killed}")
    assert result.returncode == 0, result.stderr
    assert "going on from step" in result.stdout

    for stage in ("pretrain", "train"):
        ends = [sorted((tmp_path / run / stage / "checkpoints").glob("step-*"))[-1] for run in ("whole", "killed")]
        assert ends[0].name == ends[1].name
        for name in ("model.safetensors", "trainer.safetensors"):
            whole, resumed = load_file(ends[0] / name), load_file(ends[1] / name)
            assert whole.keys() == resumed.keys()
            assert all(whole[key].equal(resumed[key]) for key in whole)
        records = [records_of(tmp_path / run / stage / "metrics.jsonl") for run in ("whole", "killed")]
        assert records[0] == records[1]
    scores = [json.loads((tmp_path / run / "scores.json").read_text()) for run in ("whole", "killed")]
    for score in scores:
        for key in ("seconds", "memory"):
            score.pop(key)
        for cost in score["stages"].values():
            cost.pop("seconds")
    assert scores[0] == scores[1]


ENDLESS = [*TINY, "trainer.max_steps=100000", "trainer.max_epochs=100000", "trainer.patience=null"]


def test_a_terminated_run_saves_its_last_step_and_says_how_to_go_on(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "train.py", *ENDLESS, f"hydra.run.dir={tmp_path}"],
        cwd=ROOT,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for_a_checkpoint(tmp_path / "train" / "checkpoints")
    process.send_signal(signal.SIGTERM)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 143
    newest = max(int(path.name.removeprefix("step-")) for path in (tmp_path / "train" / "checkpoints").glob("step-*"))
    assert f"stopped at step {newest:,}," in message
    assert f"the same command with hydra.run.dir={tmp_path} goes on" in message
    assert "Traceback" not in message


def test_ctrl_c_names_the_folder_with_which_the_run_goes_on():
    code = "import signal, sys, runpy; signal.signal(signal.SIGINT, signal.default_int_handler); "  # if it is ignored
    code += "sys.argv = sys.argv[1:]; runpy.run_path('train.py', run_name='__main__')"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", code, "train.py", *ENDLESS],
        cwd=ROOT,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    next(line for line in process.stdout if line.startswith("epoch   2"))  # which comes after the first checkpoint
    process.send_signal(signal.SIGINT)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    said = re.fullmatch(r"stopped; the same command with hydra.run.dir=(outputs/synthetic/fm/\S+) goes on\n", message)
    assert said
    assert (ROOT / said[1] / "train/checkpoints").is_dir()


def wait_for_a_checkpoint(folder):
    deadline = time.monotonic() + 120
    while not list(folder.glob("step-*[1-9]*")) and time.monotonic() < deadline:
        time.sleep(0.01)


def records_of(path):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "train/examples_per_second"} for record in records]


def test_runs_of_the_same_second_have_folders_of_their_own():
    command = [sys.executable, "train.py", *TINY, "trainer.max_steps=1"]
    started = [
        subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    outputs = [process.communicate(timeout=300)[0] for process in started]
    folders = {line.split()[-1] for output in outputs for line in output.splitlines() if line.startswith("run  ")}
    assert len(folders) == 3
    assert all("outputs/synthetic/fm/" in folder for folder in folders)


def test_a_sweep_runs_every_model_and_seed_and_a_table_sums_it_up(tmp_path):
    sweep = ["model=fm,nfm", "seed=1,2", "trainer.max_steps=5", f"hydra.sweep.dir={tmp_path}"]
    result = python("train.py", "-m", *TINY, *sweep)
    assert result.returncode == 0
    names = sorted(path.parent.name for path in tmp_path.glob("*/scores.json"))
    assert [name.split("-")[1] for name in names] == ["fm", "fm", "nfm", "nfm"]
    assert [name[-5:] for name in names] == ["seed1", "seed2"] * 2
    for model in ("FM", "NFM"):
        assert re.search(rf"^{model} +2 +1-2 +0\.\d+ ± ", result.stdout, flags=re.M)  # two runs, seeds 1 and 2
    assert python("scripts/table.py", str(tmp_path)).stdout.strip() in result.stdout


def test_evaluate_reproduces_the_stored_score_and_says_so(tmp_path):
    assert python("train.py", *TINY, "model=nfm", f"hydra.run.dir={tmp_path}").returncode == 0
    again = python("scripts/evaluate.py", str(tmp_path), "--split", "test")
    assert again.returncode == 0
    assert "equal to the run's scores.json" in again.stdout
    stored = json.loads((tmp_path / "scores.json").read_text())
    stored["test"]["auc"] += 1e-12
    (tmp_path / "scores.json").write_text(json.dumps(stored))
    assert python("scripts/evaluate.py", str(tmp_path)).returncode == 1


def test_options_of_a_script_stand_where_one_likes(tmp_path):
    assert python("train.py", *TINY, f"hydra.run.dir={tmp_path}").returncode == 0
    for words in (
        [str(tmp_path), "--split", "valid", "dataset.num_fields=4"],
        ["--trust", "json", "--trust", "csv", str(tmp_path), "--split", "valid"],
    ):
        result = python("scripts/evaluate.py", *words)
        assert result.returncode == 0, result.stderr
        assert list(json.loads(result.stdout.split("equal to")[0])) == ["valid"]


@pytest.mark.parametrize("script", ["evaluate.py", "explain.py", "report.py"])
def test_a_trusted_package_does_not_swallow_the_folder(script, tmp_path):
    result = python(f"scripts/{script}", "--trust", "json", str(tmp_path))
    assert result.returncode == 1
    assert str(tmp_path) in result.stderr


@pytest.mark.parametrize("script", ["table.py", "evaluate.py"])
def test_scripts_say_what_is_wrong_with_a_folder(script, tmp_path):
    result = python(f"scripts/{script}", str(tmp_path))
    assert result.returncode == 1
    assert str(tmp_path) in result.stderr
    assert "Traceback" not in result.stderr
