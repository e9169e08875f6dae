"""Blocks of a trained model, copied bit for bit into another, or refused with the parameter's name."""

import inspect

import pytest
import torch
from torch import Tensor, nn

from ctr.errors import UserError
from ctr.training.warm_start import warm_start
from tests.training import builders
from tests.training.builders import MODELS, model

TRAINED = 5  # the seed of the model whose weights are copied


def trained(name: str = "fm", **changes: object) -> dict[str, Tensor]:
    """Weights that no new model has: every entry drawn, the zeros of `linear` too."""
    net = model(name, seed=TRAINED, **changes)
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    return net.state_dict()


def copied(net: nn.Module, source: dict[str, Tensor], modules: list[str]) -> list[str]:
    """The names of the state that warm_start changed, each of which now has to be the source's."""
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    warm_start(net, source, modules)
    changed = builders.differing(before, net.state_dict())
    assert all(torch.equal(net.state_dict()[name], source[name]) for name in changed)
    return sorted(changed)


@pytest.mark.parametrize("name", MODELS)
def test_the_named_blocks_are_copied_bit_for_bit_and_nothing_else(name):
    has_bias = "bias" in inspect.signature(type(model(name))).parameters
    net, source = model(name, **({"bias": True} if has_bias else {})), trained()
    fitting = {key for key, tensor in net.state_dict().items() if key in source and tensor.shape == source[key].shape}
    blocks = sorted({key.split(".")[0] for key in fitting})  # FFM's table is wider than FM's
    assert blocks
    assert copied(net, source, blocks) == sorted(key for key in source if key.split(".")[0] in blocks)


def test_one_block_can_be_copied_alone():
    assert copied(model("deepfm"), trained(), ["embedding"]) == ["embedding.table.weight"]


def test_running_statistics_of_a_batch_norm_are_copied_too():
    source = {name: torch.randn_like(t) if t.is_floating_point() else t + 9 for name, t in trained("nfm").items()}
    names = [f"pooling.1.{part}" for part in ("bias", "num_batches_tracked", "running_mean", "running_var", "weight")]
    assert copied(model("nfm"), source, ["pooling"]) == names


def test_the_copy_is_the_models_own():
    net, source = model("fm"), trained()
    warm_start(net, source, ["embedding"])
    source["embedding.table.weight"].zero_()
    assert net.embedding.table.weight.all()


def test_a_block_is_known_by_its_whole_name():
    """`mlp_2` is no part of `mlp`."""
    net, source = (nn.ModuleDict({"mlp": nn.Linear(2, 1), "mlp_2": nn.Linear(2, 1)}) for _ in range(2))
    assert copied(net, source.state_dict(), ["mlp"]) == ["mlp.bias", "mlp.weight"]


def test_a_parameter_that_the_trained_model_lacks_is_named():
    with pytest.raises(UserError, match=r"'linear.bias' is only in NFM"):
        warm_start(model("nfm"), trained(bias=False), ["linear"])


def test_a_parameter_that_the_new_model_lacks_is_named():
    with pytest.raises(UserError, match=r"'linear.bias' is only in the trained model"):
        warm_start(model("deepfm"), trained(), ["linear"])


def test_a_parameter_of_another_shape_is_named_with_both_shapes():
    with pytest.raises(UserError, match=r"'embedding.table.weight' is \(\d+, 7\) in the trained .*\(\d+, 4\) in NFM"):
        warm_start(model("nfm"), trained(embedding_dim=7), ["embedding"])


def test_a_block_that_only_one_side_has_is_named():
    with pytest.raises(UserError, match=r"'head.weight' is only in NFM"):
        warm_start(model("nfm"), trained(), ["head"])


def test_a_block_that_neither_side_has_is_refused():
    with pytest.raises(UserError, match="neither NFM nor the trained model has a block 'embeddings'"):
        warm_start(model("nfm"), trained(), ["linear", "embeddings"])
