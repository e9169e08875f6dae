"""What every shipped model owes, for every file of configs/model.

A page src/ctr/models/<model>.py has its tests in tests/models/test_<model>.py, and may have several YAMLs. Forms that
none of them chooses are held to the contract as well: `VARIANTS` of the test file says which, each as the arguments
that differ from those of configs/model/<model>.yaml. An argument that is read in some company only has that company in
its `READ_WITH`.
"""

import importlib
import inspect
import typing

import pytest
import torch
import yaml
from torch.nn import functional

import ctr.models
from ctr.blocks import Dropout, FeatureEmbedding, FeatureLinear, HashedPairs
from ctr.schema import FeatureSchema, Field, FieldKind
from tests.conftest import ROOT, mixed_schema, random_batch

CONFIGS = {path.stem: yaml.safe_load(path.read_text()) for path in sorted((ROOT / "configs/model").glob("*.yaml"))}
PAGES = sorted(path.stem for path in (ROOT / "src/ctr/models").glob("[!_]*.py"))
VARIANTS = {
    f"{page} {variant}": CONFIGS[page] | changes
    for page in PAGES
    for variant, changes in getattr(importlib.import_module(f"tests.models.test_{page}"), "VARIANTS", {}).items()
}
SCHEMA = mixed_schema()


@pytest.fixture(params=CONFIGS | VARIANTS)
def config(request):
    return (CONFIGS | VARIANTS)[request.param]


@pytest.fixture
def model(config):
    return build(config, SCHEMA)


def model_class(config):
    return getattr(ctr.models, config["_target_"].removeprefix("ctr.models."))


def page_of(config):
    return model_class(config).__module__.split(".")[-1]


def options(config):
    return {key: value for key, value in config.items() if key != "_target_"}


def tables(model):
    return [module for module in model.modules() if isinstance(module, torch.nn.Embedding)]


def feature_tables(model):
    """Those with a row for every feature."""
    found = [table for table in tables(model) if table.num_embeddings == SCHEMA.num_features]
    assert found
    return found


def build(config, schema, seed=0):
    """The model in float64, with tables large enough that nothing drowns in rounding and batch norm that has run."""
    torch.manual_seed(seed)
    model = model_class(config)(schema, **options(config))
    for table in tables(model):
        torch.nn.init.normal_(table.weight, std=0.5)
    batch = random_batch(schema, 50, seed=seed)
    for _ in range(10):
        model(batch.ids, batch.values)
    return model.double()


def rows(num_rows=40, seed=1):
    batch = random_batch(SCHEMA, num_rows, seed)
    return batch.ids, batch.values.double(), batch.labels.double()


def same(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_a_page_is_one_class_of_its_own_name():
    assert len(ctr.models.__all__) == len(PAGES)


def test_there_are_models():
    assert {"fm", "fnn", "deepfm", "nfm"} <= set(CONFIGS)


def test_the_yaml_lists_every_argument_and_no_other(config):
    signature = inspect.signature(model_class(config)).parameters
    arguments = [parameter for name, parameter in signature.items() if name != "schema"]
    assert config.keys() - {"_target_"} == {argument.name for argument in arguments}
    assert all(argument.kind is argument.KEYWORD_ONLY for argument in arguments)
    assert all(argument.default is argument.empty for argument in arguments)
    assert all(argument.annotation is not argument.empty for argument in arguments)


def another(value, annotation):
    """Another value of this argument. A list is of numbers, of fields or of pairs of fields; null stands for one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return next(choice for choice in typing.get_args(annotation) if choice != value)
    if value is None or isinstance(value, list):
        if "Sequence[collections.abc.Sequence" in str(annotation):
            return [["user", "price"]]
        if "Sequence[str]" in str(annotation):
            return ["user", "price"]
        return [*value[:-1], value[-1] + 1] if value else [3]
    return value + (1 if isinstance(value, int) else 0.05)


def unread(config):
    """The arguments of which another value changes neither the model's blocks nor its weights."""
    company = getattr(importlib.import_module(f"tests.models.test_{page_of(config)}"), "READ_WITH", {})

    def made(changed):
        torch.manual_seed(0)
        model = model_class(config)(SCHEMA, **(options(config) | changed))
        return repr(model), [(name, p.requires_grad, p.sum().item()) for name, p in model.named_parameters()]

    hints = typing.get_type_hints(model_class(config).__init__)
    changes = {name: another(value, hints[name]) for name, value in options(config).items()}
    assert made({}) == made({})
    return {
        name
        for name, value in changes.items()
        if made(company.get(name, {}) | {name: value}) == made(company.get(name, {}))
    }


@pytest.mark.parametrize("page", sorted({config["_target_"] for config in CONFIGS.values()}))
def test_every_argument_is_read(page):
    """By the model of one of the page's YAMLs: what belongs to a part that one leaves out, another has to use."""
    assert not set.intersection(*(unread(config) for config in CONFIGS.values() if config["_target_"] == page))


def test_logits_are_one_finite_number_per_example(model):
    for scoring, num_rows in [(False, 40), (True, 40), (True, 1)]:
        ids, values, _ = rows(num_rows)
        logits = model.train(not scoring)(ids, values)
        assert logits.shape == (num_rows,)
        assert logits.isfinite().all()
        assert logits.dtype == torch.double


def test_first_order_weights_and_vectors_have_their_names(model):
    """By them weights move between models, and parameters find their group."""
    for name, block in model.named_children():
        assert isinstance(block, FeatureLinear) == (name.split("_")[-1] == "linear"), name
        assert isinstance(block, FeatureEmbedding) <= (name.split("_")[-1] == "embedding"), name
        assert isinstance(block, HashedPairs) == (name.split("_")[-1] == "crosses"), name
    assert {"linear", "embedding"} & {name for name, _ in model.named_children()}


def test_every_parameter_gets_a_gradient(model):
    ids, values, labels = rows()
    functional.binary_cross_entropy_with_logits(model(ids, values), labels).backward()
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert not [name for name, parameter in trained if parameter.grad is None]


def test_exactly_the_features_with_a_value_get_a_gradient(model):
    ids, values, labels = rows(num_rows=4)
    functional.binary_cross_entropy_with_logits(model.eval()(ids, values), labels).backward()
    used = torch.zeros(SCHEMA.num_features, dtype=torch.bool)
    used[ids[values != 0]] = True
    assert 0 < used.sum() < SCHEMA.num_features
    for table in feature_tables(model):
        assert torch.equal(table.weight.grad.any(1), used)


def test_another_id_under_a_zero_value_changes_nothing(model):
    ids, values, labels = rows()
    assert (values == 0).any()
    other = torch.where(values == 0, torch.randint(SCHEMA.num_features, ids.shape), ids)
    assert not torch.equal(ids, other)
    model.eval()
    same(model(other, values), model(ids, values))
    for table in feature_tables(model):
        losses = [functional.binary_cross_entropy_with_logits(model(x, values), labels) for x in (ids, other)]
        torch.testing.assert_close(*(torch.autograd.grad(loss, table.weight)[0] for loss in losses))


def test_the_order_of_a_fields_slots_does_not_matter(model):
    ids, values, _ = rows()
    order = [0, 3, 1, 2, 4, 5]  # genres hold slots 1, 2 and 3
    assert not torch.equal(ids, ids[:, order])
    model.eval()
    torch.testing.assert_close(model(ids[:, order], values[:, order]), model(ids, values))


def test_the_value_of_a_number_counts(model):
    ids, values, _ = rows()
    larger = values.clone()
    larger[:, 4] += 1
    model.eval()
    assert (model(ids, values) - model(ids, larger)).abs().min() > 1e-6


def test_rows_do_not_see_each_other_when_the_model_scores(model):
    ids, values, _ = rows()
    model.eval()
    alone = torch.cat([model(ids[i : i + 1], values[i : i + 1]) for i in range(len(ids))])
    torch.testing.assert_close(model(ids, values), alone)


def test_64_examples_can_be_learnt_by_heart(config):
    """Clicks are where user + item is odd: no sum of a user's and an item's weight can tell."""
    kinds = [("user", FieldKind.CATEGORICAL, 8, 1), ("item", FieldKind.CATEGORICAL, 8, 1)]
    schema = FeatureSchema(tuple(Field(*field) for field in [*kinds, ("price", FieldKind.NUMERIC, 1, 1)]))
    user, item = torch.cartesian_prod(torch.arange(8), torch.arange(8)).T
    ids = torch.stack([user, 8 + item, torch.full((64,), 16)], dim=1)
    values = torch.stack([torch.ones(64), torch.ones(64), torch.linspace(-1, 1, 64)], dim=1)
    labels = ((user + item) % 2).float()
    model = build(config, schema).float()
    for module in model.modules():
        module.train(not isinstance(module, Dropout))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(200):
        optimizer.zero_grad()
        functional.binary_cross_entropy_with_logits(model(ids, values), labels).backward()
        optimizer.step()
    loss = functional.binary_cross_entropy_with_logits(model.eval()(ids, values), labels)
    if [name for name, _ in model.named_children()] == ["linear"]:
        assert loss > 0.6  # and indeed: it is such a sum
    else:
        assert loss < 0.1


def test_a_saved_state_makes_another_model_the_same(config, model):
    ids, values, _ = rows()
    other = build(config, SCHEMA, seed=7).eval()
    model.eval()
    assert not torch.equal(other(ids, values), model(ids, values))
    other.load_state_dict({name: tensor.clone() for name, tensor in model.state_dict().items()})
    same(other(ids, values), model(ids, values))


def test_an_exported_model_agrees_on_batches_of_any_size(model):
    model.eval().float()
    ids, values, _ = rows()
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(model, (ids, values.float()), dynamic_shapes={"ids": batch, "values": batch})
    for num_rows in (1, 2, 40, 77):
        ids, values, _ = rows(num_rows, seed=2)
        torch.testing.assert_close(exported.module()(ids, values.float()), model(ids, values.float()))


def test_it_runs_in_bfloat16(model):
    model.eval().float()
    ids, values, labels = rows()
    exact = model(ids, values.float())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(model(ids, values.float()).float(), exact, rtol=0.05, atol=0.05)
        logits = model.train()(ids, values.float())
        functional.binary_cross_entropy_with_logits(logits.float(), labels.float()).backward()
    assert all(p.grad.isfinite().all() and p.dtype == torch.float for p in model.parameters() if p.requires_grad)
