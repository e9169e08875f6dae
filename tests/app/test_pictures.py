"""Pictures of models: what is in them is what the model does, for every model and for modules made for the purpose."""

import copy
import itertools
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
import torch
from torch import nn

from ctr.app import pictures
from ctr.app.datasets import open_dataset
from ctr.app.pictures import image, table
from ctr.app.pictures.command import drawn
from ctr.app.pictures.graph import Edge, Graph, Node
from ctr.app.pictures.layout import place
from ctr.app.pictures.mermaid import mermaid
from ctr.app.pictures.page import written
from ctr.app.pictures.schemas import FRAPPE
from ctr.app.pictures.trace import trace
from ctr.blocks import MLP, FeatureEmbedding, FeatureLinear
from ctr.errors import UserError
from tests.conftest import ROOT, mixed_schema
from tests.models.test_contract import CONFIGS, VARIANTS, model_class, options

ALL = CONFIGS | VARIANTS


def make(name, schema):
    return model_class(ALL[name])(schema, **options(ALL[name]))


def graph(name, schema=FRAPPE):
    return trace(make(name, schema), schema)


def named(graph):
    return {node.name: node for node in graph.nodes if node.name}


def links(graph):
    """The edges, each as (from, to, shape); an operation is called by what it does."""

    def call(place):
        return graph.nodes[place].name or graph.nodes[place].title

    return {(call(edge.source), call(edge.target), edge.shape) for edge in graph.edges}


@pytest.mark.parametrize("name", ALL)
def test_every_model_is_drawn_whole(name):
    schema = mixed_schema()
    model = make(name, schema)
    found = trace(model, schema)
    assert found.parameters == sum(parameter.numel() for parameter in model.parameters())
    assert found.nodes[-1].kind == "output"
    assert found.nodes[-1].shape == "(B,)"
    assert all(edge.source < edge.target for edge in found.edges)
    read = {edge.source for edge in found.edges}
    assert read == set(range(len(found.nodes) - 1))  # all but the logit
    fed = {edge.target for edge in found.edges}
    assert {node.kind for i, node in enumerate(found.nodes) if i not in fed} <= {"input", "weight"}


@pytest.mark.parametrize("name", ["nfm", "finalnet", "deepfm"])
def test_drawing_leaves_the_model_and_the_draws_as_they_were(name):
    model = make(name, FRAPPE)
    model.mlp.eval() if name != "finalnet" else model.first_mlp.eval()
    before, modes = copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]
    random = torch.get_rng_state()
    trace(model, FRAPPE)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())


def test_deepfm_is_two_towers_on_one_table():
    found = graph("deepfm")
    assert links(found) == {
        ("ids, values", "embedding", "(B, 10)"),
        ("ids, values", "linear", "(B, 10)"),
        ("embedding", "mlp", "(B, 100)"),
        ("embedding", "bi_interaction", "(B, 10, 10)"),
        ("bi_interaction", "sum of components", "(B, 10)"),
        ("mlp", "head", "(B, 400)"),
        ("linear", "+", "(B,)"),
        ("sum of components", "+", "(B,)"),
        ("head", "+", "(B,)"),
        ("+", "logit", "(B,)"),
    }
    place = next(i for i, node in enumerate(found.nodes) if node.name == "embedding")
    assert found.shared_by(place) == ["mlp", "bi_interaction"]


@pytest.mark.parametrize("name", ["fm", "nfm", "fm_dnn", "fnn", "afm", "lr"])
def test_a_table_with_one_reader_is_not_called_shared(name):
    found = graph(name)
    assert not any(found.shared_by(i) for i in range(len(found.nodes)))


def test_where_fields_have_several_slots_the_table_is_shared_through_their_sum():
    found = graph("dcn", mixed_schema())
    assert ("embedding", "fields", "(B, 6, 10)") in links(found)
    assert found.shared_by(1) == ["cross", "mlp"]


def test_weights_that_are_used_twice_are_counted_once():
    calls = [node for node in graph("fibinet").nodes if node.name == "bilinear"]
    assert [(node.parameters, node.again) for node in calls] == [(4500, False), (0, True)]


def test_bare_weights_are_nodes_of_their_own():
    found = graph("fnn as released")
    assert named(found)["linear.bias"].kind == "weight"
    assert named(found)["linear.bias"].frozen == 1
    assert {edge[1] for edge in links(found) if edge[0] == "linear.bias"} == {"concat"}


class Toy(nn.Module):
    """logit = a + b + c, a block that no logit needs, and a product."""

    def __init__(self, schema):
        super().__init__()
        self.linear = FeatureLinear(schema)
        self.embedding = FeatureEmbedding(schema, 3)
        self.mlp = MLP(3 * schema.num_slots, [4])
        self.head = nn.Linear(4, 1)
        self.unused = nn.Linear(4, 1)
        self.scale = nn.Parameter(torch.ones(4))
        self.identity = nn.Identity()

    def forward(self, ids, values):
        hidden = self.mlp(self.identity(self.embedding(ids, values)).flatten(1))
        self.unused(hidden)
        return (self.linear(ids, values) + self.head(hidden * self.scale).squeeze(-1)) + hidden.sum(dim=1)


def test_what_the_logit_does_not_need_is_left_out_and_sums_are_one():
    schema = mixed_schema()
    found = trace(Toy(schema), schema)
    assert "unused" not in named(found)
    assert "identity" not in named(found)
    assert links(found) == {
        ("ids, values", "embedding", "(B, 6)"),
        ("embedding", "mlp", "(B, 18)"),
        ("ids, values", "linear", "(B, 6)"),
        ("mlp", "×", "(B, 4)"),
        ("scale", "×", "(4,)"),
        ("×", "head", "(B, 4)"),
        ("mlp", "sum of components", "(B, 4)"),
        ("linear", "+", "(B,)"),
        ("head", "+", "(B,)"),
        ("sum of components", "+", "(B,)"),
        ("+", "logit", "(B,)"),
    }


@pytest.mark.parametrize("name", CONFIGS)
def test_no_box_lies_on_another_and_no_edge_runs_through_one(name):
    found = graph(name)
    sizes = [(60.0 + 9 * (i % 5), 30.0 + 7 * (i % 3)) for i in range(len(found.nodes))]
    placed = place(found, sizes)
    boxes = [
        (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        for (x, y), (width, height) in zip(placed.centres.values(), sizes, strict=True)
    ]
    for one, other in itertools.combinations(boxes, 2):
        assert one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
    for edge, way in placed.ways.items():
        assert placed.centres[edge.source][1] < placed.centres[edge.target][1]
        for x, top, bottom in way:
            assert not [box for box in boxes if box[0] < x < box[2] and box[1] < bottom and top < box[3]]
    assert min(box[0] for box in boxes) >= -1e-6
    assert max(box[2] for box in boxes) <= placed.size[0] + 1e-6
    assert max(box[3] for box in boxes) <= placed.size[1] + 1e-6


def test_two_towers_cross_no_edge():
    """One that a careless order would cross: the second input feeds the first sum."""
    nodes = [Node("input", "", letter) for letter in "ab"] + [Node("small", "", "+"), Node("small", "", "+")]
    nodes.append(Node("output", "", "logit"))
    edges = [Edge(0, 3, ""), Edge(1, 2, ""), Edge(2, 4, ""), Edge(3, 4, "")]
    x = {i: centre[0] for i, centre in place(Graph("", tuple(nodes), tuple(edges)), [(40.0, 20.0)] * 5).centres.items()}
    assert (x[0] - x[1]) * (x[3] - x[2]) > 0


def test_an_svg_is_one_and_the_same_text_with_the_blocks_in_it():
    found = graph("deepfm")
    once = image.svg(found)
    assert ET.fromstring(once).tag.endswith("svg")  # noqa: S314
    for text in ("embedding", "shared by mlp and bi_interaction", "363,600 parameters", "(B, 10, 10)", "logit"):
        assert f"<!-- {text} -->" in once
    assert image.svg(graph("deepfm")) == once


def test_pixels_are_as_tensorboard_takes_them():
    found = pictures.pixels(make("fm", FRAPPE), FRAPPE)
    assert found.ndim == 3
    assert found.shape[2] == 3
    assert found.dtype.name == "uint8"
    assert 0.02 < (found < 250).any(axis=2).mean() < 0.98  # neither blank nor black


def test_mermaid_has_every_node_and_edge_and_no_sign_that_ends_a_label():
    found = graph("fm")
    lines = mermaid(found).splitlines()
    assert lines[1] == "flowchart TB"
    assert sum("-->" in line for line in lines) == len(found.edges)
    labels = [line for line in lines if line.startswith("  n") and "-->" not in line]
    assert len(labels) == len(found.nodes)
    assert any("sum_{i&lt;j} &lt;v_i, v_j&gt; x_i x_j" in line for line in labels)
    assert all(line.count('"') == 2 for line in labels)


def test_the_tables_numbers_add_up():
    found = graph("nfm")
    cells = {row[0]: row for row in table.rows(found)}
    assert cells["embedding"] == ("embedding", "FeatureEmbedding", "(B, 10, 64)", "344,896", "97.2 %")
    blocks = [row for row in table.rows(found) if row[1]]
    assert sum(int(row[3].replace(",", "")) for row in blocks) == 5389 * 65 + 1 + 128 + (64 * 64 + 64 + 128) + 64
    assert cells["all"][3] == "354,766"
    assert (cells["in tables"][3], cells["elsewhere"][3]) == ("350,286", "4,480")
    assert "not trained" not in cells
    assert {row[0]: row for row in table.rows(graph("fnn as released"))}["not trained"][3] == "1"
    lines = table.text(found).splitlines()
    assert len({len(line) for line in lines if line.endswith("%")}) == 1  # aligned to the right


def test_the_pages_of_the_models_are_as_code_and_configs_have_them():
    pages = written()
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run python scripts/model_pages.py"
    assert set(pages) == set((ROOT / "docs/models").iterdir())


def test_frappe_is_drawn_without_its_files_and_says_so(monkeypatch):
    monkeypatch.setenv("CTR_DATA", "nowhere")
    text, remark = drawn(["model=nfm", "dataset=frappe"], "table")
    assert "354,766" in text
    assert "its files cannot be read: dataset.root is 'nowhere/frappe'" in remark
    with pytest.raises(UserError, match="no folder"):
        drawn(["model=nfm", "dataset=adult"], "table")


def test_frappes_field_sizes_are_those_of_its_files(frappe):
    fields = open_dataset("frappe", [f"dataset.root={frappe}"]).schema.fields
    assert tuple(replace(field, encoding="") for field in fields) == FRAPPE.fields
    assert drawn(["model=lr", "dataset=frappe", f"dataset.root={frappe}"], "table")[1] == ""


def test_the_last_stages_model_is_drawn():
    tiny = ["dataset.num_train=200", "dataset.num_valid=50", "dataset.num_test=50"]
    text, _ = drawn(["model=fnn", *tiny], "mermaid")
    assert "mlp" in text
    with pytest.raises(UserError, match="did you mean 'mermaid'"):
        pictures.draw(make("fm", FRAPPE), FRAPPE, "mermaids")
