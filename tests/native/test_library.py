"""How kernels come to be: the compiler, the cache, and what is said where there are none."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ctr import native
from ctr.blocks import BiInteraction
from ctr.blocks.lookup import lookup
from ctr.errors import UserError
from ctr.native import library
from tests.conftest import ROOT, mixed_schema, random_batch
from tests.native.cases import names_called, one_hot_product
from tests.training import builders
from tests.training.builders import MODELS

NO_OPENMP = 'for each in "$@"; do [ "$each" = -fopenmp ] && exit 1; done; exec {compiler} "$@"'
FAILS = '[ "$1" = --version ] && exit; echo "disk full" >&2; exit 1'
WRITES_NO_LIBRARY = 'for last; do :; done; [ "$1" = --version ] || echo "not a library" > "$last"'


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache, and no kernels loaded."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    library.load.cache_clear()
    yield tmp_path / "cache/ctr"
    library.load.cache_clear()


def script(path: Path, body: str, interpreter: str = "/bin/sh") -> str:
    path.write_text(f"#!{interpreter}\n{body}\n")
    path.chmod(0o755)
    return str(path)


def refused(said: str) -> None:
    """The choice "native" is refused with these words, "auto" goes on with plain PyTorch and tells them."""
    with pytest.raises(UserError, match=re.escape(said)) as error:
        native.use("native")
    assert "g++" in str(error.value)
    assert "kernels=plain" in str(error.value)
    assert not native.in_use()
    told = native.use("auto")
    assert told.startswith("plain PyTorch")
    assert said in told
    assert not native.in_use()


def test_each_choice_says_what_runs():
    for choice, said, on in [("native", "native kernels", True), ("plain", "plain PyTorch (kernels=plain)", False)]:
        assert native.use(choice) == said
        assert native.in_use() is on
    assert native.use("auto") == "native kernels"


def test_without_a_compiler_there_are_none(monkeypatch, cache, tmp_path):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    refused("no C++ compiler")


def test_a_compiler_that_is_not_there_is_named(monkeypatch, cache):
    monkeypatch.setenv("CXX", "c++-of-tomorrow")
    refused("c++-of-tomorrow")


def test_a_compiler_that_fails_is_named_with_its_words(monkeypatch, cache, tmp_path):
    monkeypatch.setenv("CXX", script(tmp_path / "broken", FAILS))
    refused("broken failed: disk full")
    assert [path.suffix for path in cache.iterdir()] in ([], [".lock"])


def test_a_compiler_that_cannot_be_started_is_named(monkeypatch, cache, tmp_path):
    monkeypatch.setenv("CXX", script(tmp_path / "broken", "", interpreter="/no/such/shell"))
    refused("broken")


def test_a_file_in_the_cache_that_is_no_library_is_named(monkeypatch, cache, tmp_path):
    monkeypatch.setenv("CXX", script(tmp_path / "wrong", WRITES_NO_LIBRARY))
    refused("kernels-")
    assert [path.read_text() for path in cache.glob("*.so")] == ["not a library\n"]


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, cache, tmp_path):
    (tmp_path / "cache").write_text("")
    refused(str(tmp_path / "cache"))


def test_two_processes_that_start_at_once_compile_once_and_both_run(monkeypatch, cache, tmp_path):
    log = tmp_path / "log"
    body = f'[ "$1" = --version ] || echo compiled >> {log}; exec {shlex.join(library.compiler())} "$@"'
    environment = {**os.environ, "CXX": script(tmp_path / "counting", body), "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", "from ctr import native; print(native.use('native'))"]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=300)[0] for process in both] == ["native kernels\n"] * 2
    assert log.read_text() == "compiled\n"
    assert sorted(path.suffix for path in cache.iterdir()) in ([".so"], [".lock", ".so"])


def test_kernels_compiled_without_openmp_do_all_of_the_work(monkeypatch, cache, tmp_path):
    compiler = script(tmp_path / "without-openmp", NO_OPENMP.format(compiler=shlex.join(library.compiler())))
    monkeypatch.setenv("CXX", compiler)
    native.use("native")
    torch.set_num_threads(2)
    check_all_of_the_work()


def check_all_of_the_work():
    table, ids, values = torch.randn(9, 4, requires_grad=True), torch.randint(9, (50, 3)), torch.randn(50, 3)
    expected = one_hot_product(table, ids, values)
    torch.testing.assert_close(lookup(table, ids, values), expected)
    (gradient,) = torch.autograd.grad(BiInteraction()(lookup(table, ids, values)).sum(), table)
    plain = 0.5 * (expected.sum(1).square() - expected.square().sum(1))
    torch.testing.assert_close(gradient, torch.autograd.grad(plain.sum(), table)[0])


def test_fewer_threads_than_asked_for_do_all_of_the_work():
    code = "import torch; from ctr import native; from tests.native.test_library import check_all_of_the_work as check"
    code += "; torch.set_num_threads(2); native.use('native'); check()"
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-500:]


@pytest.mark.parametrize("name", MODELS)
def test_an_exported_model_uses_none_and_agrees_with_them(name, monkeypatch):
    schema = mixed_schema()
    net, batch = builders.model(name, schema).eval(), random_batch(schema, 8)
    expected = net(batch.ids, batch.values)
    names = names_called(monkeypatch)
    exported = torch.export.export(net, (batch.ids, batch.values)).module()
    torch.testing.assert_close(exported(batch.ids, batch.values), expected)
    assert names == []


def test_a_compiled_model_uses_none_and_agrees_with_them(monkeypatch):
    schema = mixed_schema()
    net, batch = builders.model("nfm", schema).eval(), random_batch(schema, 8)
    expected = net(batch.ids, batch.values)
    names = names_called(monkeypatch)
    compiled = torch.compile(net, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(batch.ids, batch.values), expected)
    assert names == []


def test_they_serve_contiguous_tensors_of_a_cpu_where_they_are_on():
    tensor = torch.randn(4, 3)
    assert native.serves(tensor)
    assert not native.serves(tensor, tensor.t())
    assert not native.serves(tensor.to("meta"))
    native.use("plain")
    assert not native.serves(tensor)
