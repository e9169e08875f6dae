"""A new model is a page, a YAML and a test: everything else finds it by itself."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT

PAGE = '''"""Pairs of fields by the cosine of their vectors."""

import torch
from torch import Tensor, nn

from ctr.blocks import FeatureEmbedding, FeatureLinear, FieldPool
from ctr.schema import FeatureSchema


class Cosine(nn.Module):
    """logit = w_0 + sum_i w_i x_i + scale * sum_{f<g} cos(e_f, e_g).

    Doe, "Cosines of fields", 2026, equation 1.
    """

    def __init__(self, schema: FeatureSchema, *, embedding_dim: int, init_std: float):
        super().__init__()
        self.linear = FeatureLinear(schema)
        self.embedding = FeatureEmbedding(schema, embedding_dim, init_std=init_std)
        self.fields = FieldPool(schema)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, ids: Tensor, values: Tensor) -> Tensor:
        fields = nn.functional.normalize(self.fields(self.embedding(ids, values)), dim=-1)  # (B, F, D)
        cosines = (fields.sum(1).square().sum(-1) - fields.square().sum((1, 2))) / 2  # (B,)
        logits: Tensor = self.linear(ids, values) + self.scale * cosines
        return logits
'''
YAML = "_target_: ctr.models.Cosine\nembedding_dim: 4\ninit_std: 0.1\n"
TEST = '''"""the sum over pairs by plain loops"""

from torch.nn.functional import cosine_similarity

from ctr.models import Cosine
from tests.conftest import mixed_schema, random_batch


def test_pairs_by_plain_loops():
    schema = mixed_schema()
    model = Cosine(schema, embedding_dim=4, init_std=0.1).double()
    batch = random_batch(schema, 8)
    ids, values = batch.ids, batch.values.double()
    fields = model.fields(model.embedding(ids, values))
    pairs = [cosine_similarity(fields[:, f], fields[:, g]) for f in range(4) for g in range(f)]
    assert (model(ids, values) - model.linear(ids, values)).allclose(sum(pairs), atol=1e-12)
'''
NEW = {"src/ctr/models/cosine.py": PAGE, "configs/model/cosine.yaml": YAML, "tests/models/test_cosine.py": TEST}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A copy of the project, with three files more."""
    copy = tmp_path_factory.mktemp("project")
    for name in ("configs", "docs", "scripts", "src", "tables", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "*.png", "*.zip"))
    for name in ("README.md", "pyproject.toml", "train.py"):
        shutil.copy(ROOT / name, copy)
    for name, text in NEW.items():
        (copy / name).write_text(text, encoding="utf-8")
    return copy


def run(project, *command):
    done = subprocess.run(
        [sys.executable, *command],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project / "src"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_trains(project):
    assert "Cosine with " in run(project, "train.py", "model=cosine", "trainer=debug")


def test_the_contract_suite_finds_it(project):
    told = run(project, "-m", "pytest", "tests/models/test_contract.py", "tests/models/test_cosine.py", "-k", "cosine")
    passed = re.search(r"(\d+) passed", told)
    assert passed is not None, told
    assert int(passed[1]) > 10, told


def test_the_readme_and_the_docs_find_it(project):
    run(project, "scripts/model_table.py")
    cells = "Pairs of fields by the cosine of their vectors", 'Doe, "Cosines of fields", 2026, equation 1', TEST[3:36]
    row = f"| `cosine` | {' | '.join(cells)} |"
    assert row in (project / "README.md").read_text(encoding="utf-8").splitlines()
    run(project, "scripts/model_pages.py")
    assert "cos(e_f, e_g)" in (project / "docs/models/cosine.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        ("bars_frappe", ["cosine"]),
        ("learnable", [f"cosine, {effects}" for effects in ("first", "second", "third", "all")]),
    ],
)
def test_the_tables_find_it(project, table, rows):
    told = run(project, "scripts/reproduce.py", table, "--list", "--only", *rows)
    assert all(row in told for row in rows), told
