"""The real Frappe data: the numbers of its README, and two forms of one data set that encode alike."""

from pathlib import Path

import pytest
import torch

from ctr.app.datasets import open_dataset
from ctr.batch import Batch
from ctr.data.prepared import PreparedData

ROWS = {"train": 202_027, "valid": 57_722, "test": 28_860}
POSITIVES = {"train": 67_604, "valid": 19_063, "test": 9_536}
IN_TRAIN = {
    "user": 954, "item": 4082, "daytime": 7, "weekday": 7, "isweekend": 2, "homework": 3, "cost": 2, "weather": 9,
    "country": 80, "city": 233,
}  # fmt: skip
NUM_USERS = 957  # in all splits


@pytest.fixture(scope="module")
def table(frappe: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return open_dataset("frappe", [f"dataset.root={frappe}", f"dataset.cache={tmp_path_factory.mktemp('cache')}"])


@pytest.fixture(scope="module")
def libfm(frappe: Path, tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return open_dataset("frappe_libfm", [f"dataset.root={frappe}", f"dataset.cache={tmp_path_factory.mktemp('cache')}"])


def splits(data: PreparedData) -> dict[str, Batch]:
    return {split: data.rows(split) for split in ROWS}


@pytest.fixture(params=["table", "libfm"])
def form(request) -> PreparedData:
    return request.getfixturevalue(request.param)


def test_rows_and_positives(form):
    assert {split: len(rows) for split, rows in splits(form).items()} == ROWS
    assert {split: int(rows.labels.sum()) for split, rows in splits(form).items()} == POSITIVES


def test_features_are_the_values_in_train_and_one_oov_for_each_field(form):
    assert form.schema.num_features == 5389
    assert {field.name: field.num_features - 1 for field in form.schema.fields} == IN_TRAIN
    assert form.schema.num_slots == 10


def test_every_row_uses_every_field_with_value_1(form):
    assert all((rows.values == 1).all() for rows in splits(form).values())


def test_six_rows_of_valid_and_three_of_test_have_a_user_that_train_has_not(form):
    offsets = torch.tensor(form.schema.offsets)
    oov = {split: (rows.ids == offsets).sum(0).tolist() for split, rows in splits(form).items()}
    assert oov == {"train": [0] * 10, "valid": [6] + [0] * 9, "test": [3] + [0] * 9}


def test_the_summary_tells_of_unseen_users(form):
    told = [line for line in form.summary.splitlines() if "OOV" in line]
    assert all(line.startswith("user:") for line in told)
    assert "6 in valid" in "\n".join(told)
    assert "3 in test" in "\n".join(told)


def test_groups_are_the_users_in_all_splits(table):
    groups = torch.cat([rows.groups for rows in splits(table).values()])
    users = torch.cat([rows.ids[:, 0] for rows in splits(table).values()])
    assert groups.unique().numel() == NUM_USERS
    pairs = (users * NUM_USERS + groups)[users != 0].unique()
    assert len(pairs) == IN_TRAIN["user"] == groups[users != 0].unique().numel()


def test_both_forms_have_the_same_labels_row_for_row(table, libfm):
    for split in ROWS:
        assert torch.equal(table.rows(split).labels, libfm.rows(split).labels)


def test_both_forms_encode_alike_up_to_renaming(table, libfm):
    of_table, of_libfm = (torch.cat([rows.ids for rows in splits(data).values()]) for data in (table, libfm))
    for f in range(10):
        pairs = (of_table[:, f] * 10_000 + of_libfm[:, f]).unique()
        assert len(pairs) == of_table[:, f].unique().numel() == of_libfm[:, f].unique().numel()


def test_both_forms_have_the_same_kinds_of_field(table, libfm):
    assert [field.kind for field in table.schema.fields] == [field.kind for field in libfm.schema.fields]
