"""its equations; trained as by the paper's loss; 256,791 and 338,502 parameters on the 5,399 rows that BARS
counts; logits of FuxiCTR"""

import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.conftest import mixed_schema
from tests.models.shared import categorical, count, make, rows_of

SMALL = {"first_hidden_dims": [6, 4], "second_hidden_dims": [8]}


def random_finalnet(schema, **changes):
    model = make("finalnet", schema, **(SMALL | changes))
    for name, parameter in model.named_parameters():
        if name.endswith("bias") or name.startswith("gate"):
            nn.init.normal_(parameter)
    return model


def vectors(model, ids, values):
    """The sums of the slots of each field of the mixed schema, (B, F, D)."""
    xv = values.unsqueeze(-1) * model.embedding.table.weight[ids]
    return torch.stack([xv[:, 0], xv[:, 1:4].sum(1), xv[:, 4], xv[:, 5]], dim=1)


def block(mlp, x, widths, residual):
    """Its layers one by one: h and g are halves of one linear layer's outputs."""
    linears = [module for module in mlp.modules() if isinstance(module, nn.Linear)]
    assert len(linears) == len(widths)
    for linear, width in zip(linears, widths, strict=True):
        sums = x @ linear.weight.T + linear.bias
        half = width // 2 if residual == "concat" else width
        h, g = sums[:, :half], sums[:, half:]
        x = (torch.cat([h, h * g], dim=1) if residual == "concat" else h + h * g).relu()
    return x


def parts(model, rows, residual):
    e = vectors(model, *rows)
    gates = torch.einsum("fj,bjd->bfd", model.gate.linear.weight, e) + model.gate.linear.bias[:, None]
    x = torch.cat([e, gates * e], dim=1).flatten(1)
    first = model.first_head(block(model.first_mlp, x, [6, 4], residual))[:, 0]
    return first, model.second_head(block(model.second_mlp, e.flatten(1), [8], residual))[:, 0]


@pytest.mark.parametrize("residual", ["concat", "sum"])
def test_it_is_the_mean_of_a_gated_and_a_plain_block(residual):
    schema = mixed_schema()
    model, rows = random_finalnet(schema, residual=residual), rows_of(schema)
    first, second = parts(model, rows, residual)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(model(*rows), (first + second) / 2)


def test_without_second_hidden_dims_and_gate_it_is_one_block():
    schema = mixed_schema()
    model, rows = random_finalnet(schema, second_hidden_dims=[], field_gate=False), rows_of(schema)
    hidden = block(model.first_mlp, vectors(model, *rows).flatten(1), [6, 4], "concat")
    torch.testing.assert_close(model(*rows), model.first_head(hidden)[:, 0])


@pytest.mark.parametrize("distillation", [True, False])
def test_a_step_on_the_log_loss_is_a_step_on_the_papers_loss(distillation):
    """BCE(y, labels) + BCE(y_1, y) + BCE(y_2, y), y a constant in the last two: the same gradient everywhere."""
    schema = mixed_schema()
    rows = rows_of(schema)
    labels = torch.randint(2, (len(rows[0]),)).double()
    trained = random_finalnet(schema, distillation=distillation).train()
    twin = random_finalnet(schema, distillation=False).train()
    twin.load_state_dict(trained.state_dict())
    functional.binary_cross_entropy_with_logits(trained(*rows), labels).backward()
    first, second = parts(twin, rows, "concat")
    mean = (first + second) / 2
    loss = functional.binary_cross_entropy_with_logits(mean, labels)
    if distillation:
        teacher = mean.sigmoid().detach()
        for logits in (first, second):
            loss = loss + functional.binary_cross_entropy(logits.sigmoid(), teacher)
    loss.backward()
    for (name, parameter), other in zip(trained.named_parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other.grad, msg=name)


BARS = {
    "256,791": {"first_hidden_dims": [400, 400], "second_hidden_dims": [], "field_gate": False},
    "338,502": {"first_hidden_dims": [400, 400], "second_hidden_dims": [400], "field_gate": True},
}


@pytest.mark.usefixtures("_no_memory")
@pytest.mark.parametrize("expected", BARS)
def test_it_has_the_parameters_that_bars_prints_for_frappe(expected):
    """Of 5,399 features, since that version has a row more for each field, for padding."""
    model = make("finalnet", categorical(5399, 10), embedding_dim=10, batch_norm=True, **BARS[expected])
    assert f"{count(model):,}" == expected


VARIANTS = {
    "one block": {"second_hidden_dims": [], "field_gate": False, "first_hidden_dims": [40]},
    "with sums": {"residual": "sum", "first_hidden_dims": [40], "second_hidden_dims": [40], "distillation": False},
}
