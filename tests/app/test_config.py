"""The one door: what it builds, and what it refuses."""

import sys
from collections.abc import Mapping, Sequence
from typing import Literal

import pytest
import torch

from ctr.app.config import TARGETS, build, check, matches, plain
from ctr.errors import UserError
from ctr.models import FM
from tests.app.compose import config

FM_NODE = {"_target_": "ctr.models.FM", "embedding_dim": 4, "init_std": 0.01, "bias": True, "embedding_dropout": 0.0}

HOSTILE = [
    "os.system",
    "logging.os.system",
    "builtins.eval",
    "builtins.open",
    "pathlib.Path.write_text",
    "pickle.load",
    "pickle.loads",
    "numpy.load",
    "pandas.read_pickle",
    "torch.load",
    "torch.hub.load",
    "torch.utils.cpp_extension.load_inline",
    "torch.optim.lr_scheduler.sys.modules",
    "ctr.models.os.system",
    "ctr.models.fm.nn.Module",
    "ctr.models.FM.forward",
    "ctr.training.checkpoint.shutil.rmtree",
    "ctr.app.config.importlib.import_module",
    "ctr.data.libfm.gzip.open",
    "subprocess.Popen",
    "",
    None,
    7,
    ["os.system"],
]


@pytest.mark.parametrize("target", HOSTILE, ids=str)
@pytest.mark.parametrize("place", ["top", "nested", "in a list", "partial"])
def test_no_target_off_the_list_is_built_or_even_looked_up(target, place, tmp_path):
    hostile = {"_target_": target, "_args_": ["touch pwned"]} if place == "args" else {"_target_": target}
    node = {
        "top": hostile,
        "nested": {**FM_NODE, "embedding_dim": {"deeper": hostile}},
        "in a list": {**FM_NODE, "embedding_dim": [1, [hostile]]},
        "partial": {**hostile, "_partial_": True},
    }[place]
    with pytest.raises(UserError, match="not allowed"):
        check({"model": node})
    with pytest.raises(UserError, match="not allowed"):
        build(node, path="model")


@pytest.mark.parametrize("key", ["_args_", "_recursive_", "_convert_", "_locate_", "__class__"])
def test_no_special_key_but_target_and_partial_exists(key):
    with pytest.raises(UserError, match=key):
        check({"model": {**FM_NODE, key: ["x"]}})


def test_every_target_on_the_list_is_a_class():
    assert all(isinstance(target, type) for target in TARGETS.values())


def test_a_checked_node_becomes_its_object(schema):
    check({"model": FM_NODE})
    assert isinstance(build(FM_NODE, path="model", schema=schema), FM)


def test_a_partial_node_becomes_a_function_of_what_is_missing():
    make = build({"_target_": "torch.optim.SGD", "_partial_": True, "lr": 0.5}, path="optimizer")
    assert make([torch.nn.Parameter(torch.ones(1))]).defaults["lr"] == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeding_dim": 3}, "model.embeding_dim: FM has no argument.*did you mean 'embedding_dim'"),
        ({"embedding_dim": 8.5}, "model.embedding_dim: expected a whole number, found 8.5"),
        ({"embedding_dim": "8"}, "model.embedding_dim: expected a whole number"),
        ({"embedding_dim": True}, "model.embedding_dim: expected a whole number"),
        ({"bias": 1}, "model.bias: expected true or false"),
        ({"init_std": None}, "model.init_std: expected a number"),
        ({"schema": 1}, "model.schema: FM has no argument 'schema'"),
    ],
)
def test_wrong_arguments_die_with_path_and_reason(change, message):
    with pytest.raises(UserError, match=message):
        check({"model": {**FM_NODE, **change}})


def test_a_missing_argument_is_named():
    node = {key: value for key, value in FM_NODE.items() if key != "bias"}
    with pytest.raises(UserError, match=r"model.bias: FM needs this argument"):
        check({"model": node})


def test_what_a_class_refuses_carries_the_path(schema):
    with pytest.raises(UserError, match=r"stages.train.model \(FM\): dropout .* found 1.5"):
        build({**FM_NODE, "embedding_dropout": 1.5}, path="stages.train.model", schema=schema)


@pytest.mark.parametrize(
    ("value", "expected", "fits"),
    [
        (1, int, True),
        (1, float, True),
        (1.0, int, False),
        (True, int, False),
        (True, float, False),
        (None, int | None, True),
        ("x", int | None, False),
        ("relu", Literal["relu", "tanh"], True),
        ("gelu", Literal["relu", "tanh"], False),
        ([64, 32], Sequence[int], True),
        ([64, "a"], Sequence[int], False),
        (64, Sequence[int], False),
        ("ab", Sequence[str], False),
        ({"a": 1}, Mapping[str, int], True),
        ({"a": "b"}, Mapping[str, int], False),
        ({"_target_": "anything"}, FM, True),
        ("FM", FM, False),
    ],
)
def test_values_are_compared_with_annotations(value, expected, fits):
    assert matches(value, expected) is fits


PACKAGE = """
from ctr.models import FM
from os import system

class Mine(FM):
    pass

def function():
    return 1
"""


@pytest.fixture
def researcher(tmp_path, monkeypatch):
    """A package of the user's own."""
    (tmp_path / "researcher_package.py").write_text(PACKAGE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield "researcher_package"
    sys.modules.pop("researcher_package", None)


def test_a_trusted_package_gives_its_classes_and_nothing_else(researcher, schema):
    node = {**FM_NODE, "_target_": f"{researcher}.Mine"}
    with pytest.raises(UserError, match="trust"):
        check(node)
    assert researcher not in sys.modules
    check(node, trust=[researcher])
    assert type(build(node, [researcher], schema=schema)).__name__ == "Mine"
    for name in ("system", "function", "FM", "nothing"):
        with pytest.raises(UserError):
            check({"_target_": f"{researcher}.{name}"}, trust=[researcher])


def test_a_missing_value_and_a_broken_interpolation_are_named():
    with pytest.raises(UserError, match=r"dataset.fields has no value"):
        plain(config("dataset=table"))
    with pytest.raises(UserError, match=r"model.embedding_dim"):
        plain(config("model.embedding_dim=${nowhere}"))
