"""What several suites share: a schema with all kinds of field, rows for it, and the real data."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from ctr import native
from ctr.batch import Batch
from ctr.schema import FeatureSchema, Field, FieldKind

ROOT = Path(__file__).parent.parent

torch.set_num_threads(1)  # the suites run side by side
_cache = tempfile.TemporaryDirectory(prefix="ctr-tests-")
os.environ["CTR_CACHE"] = _cache.name  # prepared data go when the tests are done
settings.register_profile("ctr", deadline=None)  # on machines that are busy
settings.load_profile("ctr")


@pytest.fixture(autouse=True)
def plain_kernels() -> None:
    """Every test starts with plain PyTorch; those of the native kernels turn them on."""
    native.use("plain")


def mixed_schema() -> FeatureSchema:
    """All three kinds: two categorical fields, one of three slots, one number; 6 slots, 21 features."""
    return FeatureSchema(
        (
            Field("user", FieldKind.CATEGORICAL, 7),
            Field("genres", FieldKind.MULTIVALUED, 6, num_slots=3),
            Field("price", FieldKind.NUMERIC, 1),
            Field("item", FieldKind.CATEGORICAL, 7),
        )
    )


def random_batch(schema: FeatureSchema, num_rows: int, seed: int = 0) -> Batch:
    """Rows that use every kind of field as its encoder would: numbers, unused slots, values of 1."""
    random = torch.Generator().manual_seed(seed)
    ids, values = [], []
    for field, offset in zip(schema.fields, schema.offsets, strict=True):
        shape = (num_rows, field.num_slots)
        local = torch.randint(field.num_features, shape, generator=random)
        value = torch.ones(shape)
        if field.kind is FieldKind.NUMERIC:
            value = torch.randn(shape, generator=random)
        if field.kind is FieldKind.MULTIVALUED:
            used = torch.randint(field.num_slots + 1, (num_rows, 1), generator=random)
            value = (torch.arange(field.num_slots) < used).float()
            local = local * value.long()
        ids.append(local + offset)
        values.append(value)
    labels = torch.randint(2, (num_rows,), generator=random).float()
    groups = torch.randint(5, (num_rows,), generator=random)
    return Batch(torch.cat(ids, 1), torch.cat(values, 1), labels, groups)


@pytest.fixture(autouse=True)
def _machine_as_it_was() -> Iterator[None]:
    """A run sets what holds for its whole process; the next test shall not see it."""
    yield
    torch.set_num_threads(1)
    torch.set_flush_denormal(False)


@pytest.fixture
def schema() -> FeatureSchema:
    return mixed_schema()


def folder_of(name: str) -> Path:
    """The folder of a dataset's files. With CTR_DATA set they have to be there; without, the test is skipped."""
    if (root := os.environ.get("CTR_DATA")) is None:
        pytest.skip(f"set CTR_DATA to a folder with {name}/ in it; README, section Data, says how to get it")
    folder = (ROOT / root / name).resolve()
    if not (folder / "train.csv.gz").is_file():
        pytest.fail(f"CTR_DATA={root} is set, but {folder} holds no train.csv.gz")
    return folder


@pytest.fixture(scope="session")
def frappe() -> Path:
    """The folder of the real Frappe data."""
    return folder_of("frappe")


@pytest.fixture(scope="session")
def ipinyou() -> Path:
    """The folder of the FNN authors' sample of iPinYou."""
    return folder_of("ipinyou")
