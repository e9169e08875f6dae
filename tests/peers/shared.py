"""What the comparisons share: a schema, rows, and the claim that another library's module is the same function.

A comparison says by name what each of the other module's weights is in terms of ours. `torch.func.functional_call`
runs the module on these expressions, so its outputs have gradients by our parameters, and both are compared.
"""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ctr.blocks import MLP, FeatureEmbedding, FieldLayerNorm
from ctr.schema import FeatureSchema, Field, FieldKind

SIZES = [7, 3, 11, 2, 5]
NAMES = [f"f{index}" for index in range(len(SIZES))]
SCHEMA = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, size) for name, size in zip(NAMES, SIZES, strict=True)))
D = 4  # embedding_dim, of tests.models.shared.make as well

Weights = Mapping[str, Tensor]  # of theirs by name, in terms of ours


def local_ids(num_rows: int = 40) -> Tensor:
    """Random features, numbered within each field, (B, F): as the libraries count them."""
    random = torch.Generator().manual_seed(0)
    return torch.stack([torch.randint(size, (num_rows,), generator=random) for size in SIZES], dim=1)


def vectors(num_rows: int = 40) -> Tensor:
    """Vectors of fields for comparisons of single blocks, (B, F, D)."""
    random = torch.Generator().manual_seed(0)
    return torch.randn(num_rows, len(SIZES), D, generator=random, dtype=torch.double)


def drawn(module, std=0.4):
    """The module in float64, its numbers all random: none stays at a start of 0 or 1, which would hide what it does."""
    torch.manual_seed(1)
    module.double()
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=std)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm1d | nn.LayerNorm | FieldLayerNorm):
            nn.init.uniform_(part.weight, 0.5, 1.5)
        if isinstance(part, nn.BatchNorm1d):
            nn.init.normal_(part.running_mean, std=std)
            nn.init.uniform_(part.running_var, 0.5, 1.5)
    return module


class Flat(nn.Module):
    """A block of (B, F * D) as one of (B, F, D)."""

    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, fields):
        return self.block(fields.flatten(1))


def same_model(ours: nn.Module, theirs: nn.Module, weights: Weights, inputs: object, **options: object) -> None:
    """Our model's logits on `local_ids`, and its gradients, are those of their module on `inputs`."""
    ids = local_ids() + torch.tensor(SCHEMA.offsets)
    same(partial(ours, ids, torch.ones(ids.shape, dtype=torch.double)), ours, theirs, weights, (inputs,), **options)


def same_block(ours: nn.Module, theirs: nn.Module, weights: Weights, *inputs: object, **options: object) -> None:
    """Our block's outputs on `vectors`, and its gradients, are those of their module on `inputs`, if given."""
    fields = vectors()
    same(partial(ours, fields), ours, theirs, weights, inputs or (fields,), **options)


def same(
    run: Callable[[], Tensor],
    ours: nn.Module,
    theirs: nn.Module,
    weights: Weights,
    inputs: tuple[object, ...],
    *,
    output: Callable[..., Tensor] = lambda out: out,
    unused: tuple[str, ...] = (),
) -> None:
    """With `weights`, all that theirs has but indices and what starts with `unused`, both compute the same.

    In training (batch norm by the batch; nothing drops) and in evaluation; `output` reads what theirs returns. The
    gradients of a random sum of the outputs are compared for all our parameters, so none is left out of `weights`.
    """
    theirs.double()
    kept = {
        name: tensor
        for name, tensor in [*theirs.named_parameters(), *theirs.named_buffers()]
        if not tensor.is_floating_point() or (unused and name.startswith(unused))
    }
    names, parameters = zip(*ours.named_parameters(), strict=True) if list(ours.parameters()) else ((), ())
    for training in (True, False):
        ours.train(training)
        theirs.train(training)
        actual = run()
        expected = output(functional_call(theirs, {**kept, **weights}, inputs, strict=True)).reshape(actual.shape)
        torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-10)
        assert actual.std() > 1e-2, "outputs that are all alike compare nothing"
        if not names:
            continue
        direction = torch.randn(actual.shape, generator=torch.Generator().manual_seed(2), dtype=torch.double)
        gradients = [
            torch.autograd.grad((out * direction).sum(), parameters, retain_graph=True) for out in (actual, expected)
        ]
        for name, ours_grad, theirs_grad in zip(names, *gradients, strict=True):
            torch.testing.assert_close(
                ours_grad, theirs_grad, rtol=1e-8, atol=1e-9, msg=lambda m, name=name: f"{name}: {m}"
            )


def state(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    """Our module's parameters and running statistics, under another name."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return {f"{prefix}.{name}": tensor for name, tensor in tensors if "num_batches_tracked" not in name}


def stack(mlp: MLP, head: nn.Linear | None, prefix: str, *, has_dropout: bool) -> dict[str, Tensor]:
    """An MLP and the layer after it as one `nn.Sequential`, which may have no modules for a dropout of 0."""
    per_layer = mlp.per_layer if has_dropout else mlp.per_layer - 1
    weights: dict[str, Tensor] = {}
    for index, module in enumerate(mlp.layers):
        layer, place = divmod(index, mlp.per_layer)
        weights |= state(module, f"{prefix}.{layer * per_layer + place}")
    if head is not None:
        weights |= state(head, f"{prefix}.{len(mlp.layers) // mlp.per_layer * per_layer}")
    return weights


def by_field(table: Tensor | FeatureEmbedding, pattern: str) -> dict[str, Tensor]:
    """The rows of each field as a table of its own; `pattern` names it by the field."""
    rows = table.table.weight if isinstance(table, FeatureEmbedding) else table
    return {pattern.format(name): part for name, part in zip(NAMES, rows.split(SIZES), strict=True)}
