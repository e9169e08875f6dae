"""What the tests of models share: the oracles' fixture, small options, counting."""

import torch
import yaml
from torch import nn

import ctr.models
from ctr.models import FM
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import ROOT, mixed_schema, random_batch
from tests.models.options import DEEPFM_OPTIONS, FM_OPTIONS, FNN_OPTIONS, NFM_OPTIONS

W_0 = 0.1


W = [0.1, -0.2, 0.3, 0.0, 0.05, -0.1]


V = [[0.1, 0.2], [-0.3, 0.4], [0.5, -0.1], [0.2, 0.3], [-0.4, 0.1], [0.05, -0.25]]


SPARSE = FeatureSchema((Field("x", FieldKind.MULTIVALUED, 6, num_slots=4),))


IDS = torch.tensor([[0, 2, 4, 0], [1, 3, 5, 0], [0, 3, 4, 5]])  # r1, r2, r3


VALUES = torch.tensor([[1, 1, 0.5, 0], [1, 1, 1, 0], [1, 1, 2, 1]], dtype=torch.double)


LABELS = [1.0, -1.0, 1.0]


FIELDS = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, 2) for name in "abc"))


ONE_HOT_IDS = torch.tensor([[0, 2, 4], [1, 3, 5]])  # s1, s2


ONES = torch.ones(2, 3, dtype=torch.double)


SMALL = {"embedding_dim": 2, "init_std": 0.01}


def double(numbers):
    return torch.tensor(numbers, dtype=torch.double)


def close(actual, expected):
    torch.testing.assert_close(actual, double(expected), atol=1e-6, rtol=0)


def with_fixture_weights(model):
    """The model in float64, with the fixture's w_0, w and V."""
    model = model.double()
    with torch.no_grad():
        model.linear.bias.fill_(W_0)
        model.linear.weight.table.weight.copy_(double(W).unsqueeze(1))
        model.embedding.table.weight.copy_(double(V))
    return model


def categorical(num_features: int, num_fields: int) -> FeatureSchema:
    """So many features, shared out over so many fields."""
    sizes = [num_features - num_fields + 1] + [1] * (num_fields - 1)
    return FeatureSchema(tuple(Field(f"f{f}", FieldKind.CATEGORICAL, size) for f, size in enumerate(sizes)))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def count_batch_norm(model):
    return sum(count(module) for module in model.modules() if isinstance(module, nn.BatchNorm1d))


ONE_HOT = FeatureSchema(tuple(Field(name, FieldKind.CATEGORICAL, 5) for name in "abc"))


def rows_of(schema):
    """Ids and values in float64."""
    batch = random_batch(schema, 30)
    return batch.ids, batch.values.double()


def trained_fm(schema):
    """An FM in float64 whose w_0 and w are not 0, as after training."""
    torch.manual_seed(0)
    fm = FM(schema, **FM_OPTIONS).double()
    nn.init.normal_(fm.linear.bias)
    nn.init.normal_(fm.linear.weight.table.weight)
    return fm


def warm_started(model, fm):
    """The model in float64, with the FM's first-order weights and vectors, moved by their names."""
    model = model.double()
    model.linear.load_state_dict(fm.linear.state_dict())
    model.embedding.load_state_dict(fm.embedding.state_dict())
    return model


FM_WORKED = FM_OPTIONS | SMALL
NFM_WORKED = NFM_OPTIONS | SMALL | {"hidden_dims": [3]}
DEEPFM_WORKED = DEEPFM_OPTIONS | SMALL | {"hidden_dims": [2]}
FNN_WORKED = FNN_OPTIONS | SMALL | {"hidden_dims": [2]}
NFM_COUNTED = NFM_WORKED | {"pooling_batch_norm": True, "hidden_batch_norm": True}  # the NFM authors' form
PLAIN = {"embedding_dim": 4, "init_std": 0.5, "hidden_dims": [8, 5]}


def make(name, schema, **changes):
    """The model of configs/model/<name>.yaml in float64, with small layers, without dropout and batch norm."""
    config = yaml.safe_load((ROOT / f"configs/model/{name}.yaml").read_text())
    model_class = getattr(ctr.models, config.pop("_target_").removeprefix("ctr.models."))
    plain = {
        key: 0.0 if key.endswith("dropout") else False for key in config if key.endswith(("dropout", "batch_norm"))
    }
    plain |= {key: value for key, value in PLAIN.items() if key in config}
    torch.manual_seed(0)
    return model_class(schema, **(config | plain | changes)).double()


OWN_FIELDS = {"linear_fields": ["genres", "item"], "deep_fields": ["user", "price"], "weigh_logits": True}


def parts_of(model):
    """Of a model with OWN_FIELDS on rows of the mixed schema, drawn anew where it would start alike: its first-order
    part, the embeddings of its fields, (B, 2, D), and the weights of its parts."""
    ids, values = rows_of(mixed_schema())
    for parameter in (model.linear.bias, model.linear.weight.table.weight, model.sum.weights):
        if parameter is not None:
            nn.init.normal_(parameter)
    w, xv = model.linear.weight(ids, values), model.embedding(ids, values)
    first = w[:, [1, 2, 3, 5]].sum((1, 2))
    if model.linear.bias is not None:
        first = first + model.linear.bias
    return first, torch.stack([xv[:, 0], xv[:, 4]], 1), model.sum.weights
