"""its equations; with masks of 1 equals a plain network; 571,691 parameters on Frappe, as BARS prints; logits of
FuxiCTR"""

import pytest
import torch
from torch import nn
from torch.nn import functional

from ctr.errors import UserError
from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of


def vectors(model, ids, values):
    """The sums of the slots of each field of the mixed schema, (B, F, D)."""
    xv = values.unsqueeze(-1) * model.embedding.table.weight[ids]
    return torch.stack([xv[:, 0], xv[:, 1:4].sum(1), xv[:, 4], xv[:, 5]], dim=1)


def normalised(model, fields):
    """Each field's vector less its mean, by its deviation, scaled and shifted."""
    deviation = (fields.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
    return (fields - fields.mean(-1, keepdim=True)) / deviation * model.norm.weight + model.norm.bias


def block(module, v, hidden):
    mask = (v @ module.mask[0].weight.T + module.mask[0].bias).relu() @ module.mask[2].weight.T + module.mask[2].bias
    sums = (mask * hidden) @ module.layer[0].weight.T
    norm = module.layer[1]
    return functional.layer_norm(sums, sums.shape[1:], norm.weight, norm.bias).relu()


def random_masknet(schema, **changes):
    model = make("masknet", schema, block_dim=6, **changes)
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("bias"):
            nn.init.normal_(parameter)
    return model


def test_the_parallel_form_puts_a_network_on_blocks_side_by_side():
    schema = mixed_schema()
    model, rows = random_masknet(schema, num_blocks=3), rows_of(schema)
    fields = vectors(model, *rows)
    v, hidden = fields.flatten(1), normalised(model, fields).flatten(1)
    assert len(model.blocks) == 3
    outputs = torch.cat([block(module, v, hidden) for module in model.blocks], dim=1)
    torch.testing.assert_close(model(*rows), model.head(model.mlp(outputs))[:, 0])


def test_the_serial_form_puts_each_block_on_the_one_before():
    schema = mixed_schema()
    model, rows = random_masknet(schema, structure="serial"), rows_of(schema)
    fields = vectors(model, *rows)
    v, hidden = fields.flatten(1), normalised(model, fields).flatten(1)
    assert [module.layer[0].out_features for module in model.blocks] == [8, 5]
    for module in model.blocks:
        hidden = block(module, v, hidden)
    torch.testing.assert_close(model(*rows), model.head(hidden)[:, 0])


def test_with_masks_of_one_and_no_norm_the_serial_form_is_a_plain_network():
    schema = mixed_schema()
    options = {"structure": "serial", "embedding_layer_norm": False, "layer_norm": False}
    model, rows = make("masknet", schema, **options), rows_of(schema)
    hidden = vectors(model, *rows).flatten(1)
    for module in model.blocks:
        nn.init.zeros_(module.mask[2].weight)
        nn.init.ones_(module.mask[2].bias)
        hidden = (hidden @ module.layer[0].weight.T).relu()
    torch.testing.assert_close(model(*rows), model.head(hidden)[:, 0])


@pytest.mark.usefixtures("_no_memory")
def test_it_has_the_parameters_that_bars_prints_for_frappe():
    bars = {"embedding_dim": 10, "num_blocks": 3, "block_dim": 50, "reduction_ratio": 2.0, "hidden_dims": [400] * 3}
    assert count(make("masknet", categorical(5389, 10), **bars, embedding_layer_norm=False)) == 571_691


def test_the_parallel_form_needs_a_block():
    with pytest.raises(UserError, match="num_blocks must be at least 1"):
        make("masknet", mixed_schema(), num_blocks=0)


VARIANTS = {
    "serial": {"structure": "serial", "hidden_dims": [40, 20]},
    "of BARS": {"embedding_layer_norm": False, "block_dim": 50, "hidden_dims": [40]},
}
