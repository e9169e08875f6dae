"""A field's line in the config: what it may say, and what a person is told who mistypes it. And what every kind owes:
blocks and rows outside train change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctr.data.columns import KINDS, field_recipe
from ctr.data.columns.base import Column, TokenColumn
from ctr.errors import UserError
from tests.data.columns import encode, entries_of

NUMBERS = st.integers(-99, 99).map(str) | st.just("")
KIND_CELLS = {
    "categorical": ({"min_count": 2, "max_features": 4}, st.sampled_from(["a", "b", "c", "d", ""])),
    "entries": ({}, st.dictionaries(st.integers(0, 5), st.integers(-3, 3), max_size=3)),
    "hashed": ({"buckets": 5}, st.sampled_from(["a", "b", "c", ""])),
    "multivalued": ({"separator": "|", "pooling": "mean"}, st.sampled_from(["a", "a|b", "b|c|a", "", "d"])),
    "numeric": ({"transform": "min_max"}, NUMBERS),
    "periodic": ({"frequencies": 2}, NUMBERS),
    "piecewise_linear": ({"bins": 3}, NUMBERS),
    "quantile": ({"bins": 3}, NUMBERS),
    "squared_log": ({"min_count": 2}, NUMBERS),
    "time": ({"part": "weekday"}, st.integers(-(10**6), 10**6).map(str) | st.just("")),
}  # fmt: skip


def test_every_file_of_a_kind_is_tried_here():
    assert set(KINDS) == set(KIND_CELLS)


def drawn(data: st.DataObject, kind: str, first: str | None = None):
    """Cells of this kind, at least one of them a number where that is needed."""
    cells = data.draw(st.lists(KIND_CELLS[kind][1], min_size=1, max_size=12))
    if first is not None and kind not in ("entries", "multivalued"):
        cells[0] = first
    return entries_of(cells) if kind == "entries" else cells


@pytest.mark.parametrize("kind", KIND_CELLS)
@settings(max_examples=40)
@given(data=st.data(), cuts=st.lists(st.integers(0, 24), min_size=1, max_size=4))
def test_the_blocks_that_rows_fall_into_change_nothing(kind, data, cuts):
    spec = {"kind": kind, **KIND_CELLS[kind][0]}
    train, other = drawn(data, kind, first="7"), drawn(data, kind)
    one, several = encode(spec, train, other), encode(spec, train, other, cuts)
    assert several.ids == one.ids
    np.testing.assert_allclose(several.values, one.values, rtol=1e-6, atol=1e-9)
    if kind != "periodic":  # whose deviation is rounded; see below
        assert several.values == one.values
        assert several.field == one.field
        assert several.encoder.state() == one.encoder.state()


@pytest.mark.parametrize("kind", sorted(KIND_CELLS.keys() - {"entries"}))
@settings(max_examples=20)
@given(data=st.data(), cuts=st.lists(st.integers(0, 24), max_size=3))
def test_rows_outside_train_change_nothing_that_is_fitted(kind, data, cuts):
    spec = {"kind": kind, **KIND_CELLS[kind][0]}
    train = drawn(data, kind, first="7")
    cuts = [min(cut, len(train)) for cut in cuts]  # blocks of train that stay the same
    one, other = (encode(spec, train, drawn(data, kind), cuts) for _ in range(2))
    assert one.field == other.field
    assert one.encoder.state() == other.encoder.state()
    assert one.ids[: len(train)] == other.ids[: len(train)]
    assert one.values[: len(train)] == other.values[: len(train)]


def test_the_ids_of_entries_are_those_of_train():
    train = entries_of([{3: 1}, {4: 1}])
    one, other = (encode("entries", train, entries_of([row])) for row in ({3: 1}, {9: 1}))
    assert one.field == other.field


@pytest.mark.parametrize("kind", KIND_CELLS)
def test_a_kind_is_one_of_the_two_shapes_of_column(kind):
    made = field_recipe("f", {"kind": kind, **KIND_CELLS[kind][0]}).kind
    assert isinstance(made, TokenColumn) or all(hasattr(made, name) for name in ("stage", "fit", "restore"))
    assert Column  # the protocol of the others


@pytest.mark.parametrize("kind", ["numeric", "periodic"])
def test_the_fingerprint_of_a_standardised_field_does_not_depend_on_blocks(kind):
    spec = {"kind": "numeric", "transform": "z_score"} if kind == "numeric" else {"kind": "periodic", "frequencies": 1}
    cells = [repr(float(x)) for x in np.random.default_rng(0).normal(size=1000)]
    fields = [encode(spec, cells, cuts=[cut]).field for cut in (0, 100, 333, 500, 700)]
    assert all(field == fields[0] for field in fields)


# --- the line in the config ---


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("catagorical", ["kind must be one of categorical", "found 'catagorical'", "did you mean 'categorical'?"]),
        ({"min_count": 2}, ["kind must be one of", "found None"]),
        (None, ["kind must be one of", "found None"]),
        (5, ["kind must be one of", "found 5"]),
        (["categorical"], ["kind must be one of", "found ['categorical']"]),
        ({"kind": "base"}, ["kind must be one of", "found 'base'"]),
        ({"kind": "categorical", "mincount": 2}, ["no option 'mincount'", "min_count", "did you mean 'min_count'?"]),
        ({"kind": "categorical", "colum": "x"}, ["no option 'colum'", "did you mean 'column'?"]),
        ({"kind": "numeric", "separator": "|"}, ["no option 'separator'", "only transform, column, missing, share"]),
        ("multivalued", ["needs its separator", "{kind: multivalued, separator: ...}"]),
        ("quantile", ["needs its bins"]),
        ({"kind": "categorical", "missing": "NA"}, ["missing must be a list of texts, found 'NA'"]),
        ({"kind": "categorical", "missing": [0]}, ["missing must be a list of texts, found [0]"]),
        ({"kind": "numeric", "share": "user"}, ["a numeric field has no vocabulary that it could share"]),
        ({"kind": "hashed", "buckets": 9, "share": "user"}, ["a hashed field has no vocabulary"]),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_is_refused_with_the_field(spec, told):
    with pytest.raises(UserError) as refused:
        field_recipe("user", spec)
    for part in ["field 'user':", *told]:
        assert part in str(refused.value)


def test_a_field_reads_the_column_of_its_name_or_the_one_that_is_named():
    assert field_recipe("user", "categorical").column == "user"
    assert field_recipe("user", {"kind": "categorical", "column": "u"}).column == "u"


def test_missing_texts_are_the_datasets_unless_the_field_has_its_own():
    assert field_recipe("user", "categorical").missing is None
    assert field_recipe("user", {"kind": "categorical", "missing": []}).missing == ()
    assert field_recipe("user", {"kind": "categorical", "missing": ["-", "NA"]}).missing == ("-", "NA")


def test_the_spec_is_left_as_it_was():
    spec = {"kind": "categorical", "min_count": 2, "missing": ["-"]}
    field_recipe("user", spec)
    assert spec == {"kind": "categorical", "min_count": 2, "missing": ["-"]}
