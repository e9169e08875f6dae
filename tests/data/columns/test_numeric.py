"""A number a cell: each transform against its definition, in float64."""

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.columns import field_recipe
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode, staged

FINITE = st.floats(-1e6, 1e6)
CUTS = st.lists(st.integers(0, 20), max_size=3)


def numeric(transform: str, train: list[str], other: list[str] | None = None, cuts=()) -> list[float]:
    column = encode({"kind": "numeric", "transform": transform}, train, other, cuts)
    assert (column.field.kind, column.field.num_slots, column.field.num_features) == (FieldKind.NUMERIC, 1, 1)
    assert column.ids == [[0]] * len(column.values)
    return [value for (value,) in column.values]


@given(st.lists(FINITE, min_size=1, max_size=20), CUTS)
def test_raw_numbers_are_kept(numbers, cuts):
    assert numeric("raw", list(map(repr, numbers)), cuts=cuts) == [float(np.float32(x)) for x in numbers]


def test_raw_is_what_a_plain_numeric_field_does():
    assert encode("numeric", ["2", "-1"]).values == [[2.0], [-1.0]]


@given(st.lists(FINITE | st.floats(-2, 2), min_size=1, max_size=20), CUTS)
def test_log_is_log_of_x_plus_1_where_that_exists_and_minus_1_elsewhere(numbers, cuts):
    expected = [math.log1p(x) if x > -1 else -1.0 for x in numbers]
    assert numeric("log", list(map(repr, numbers)), cuts=cuts) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("x", [-1.0, -0.9999999999999, -0.99, 0.0, 1e-300, 1e30, -1e30])
def test_log_at_its_edges(x):
    assert numeric("log", [repr(x)]) == pytest.approx([math.log1p(x) if x > -1 else -1.0], rel=1e-6)


def test_log_of_minus_1_and_of_a_missing_number_as_criteo_is_prepared():
    assert numeric("log", ["-1", "", "0"]) == [-1.0, 0.0, 0.0]


@given(st.lists(FINITE, min_size=2, max_size=20).filter(lambda xs: max(xs) - min(xs) > 1e-3), FINITE, CUTS)
def test_z_score_uses_the_mean_and_standard_deviation_of_train(train, other, cuts):
    x = np.array(train)
    expected = (np.array([*train, other]) - x.mean()) / x.std()
    found = numeric("z_score", list(map(repr, train)), [repr(other)], cuts)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@given(st.lists(FINITE, min_size=2, max_size=20).filter(lambda xs: max(xs) - min(xs) > 1e-3), FINITE, CUTS)
def test_min_max_is_0_and_1_at_the_ends_of_train(train, other, cuts):
    low, high = min(train), max(train)
    expected = [(x - low) / (high - low) for x in [*train, other]]
    found = numeric("min_max", list(map(repr, train)), [repr(other)], cuts)
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-30)


@pytest.mark.parametrize("offset", [1e9, -1e12, 2.0**45])
def test_numbers_far_from_0_are_scaled_as_in_float64(offset):
    """A sum of squares less the square of the sum would leave no digit of the deviation."""
    x = offset + np.random.default_rng(0).normal(0, 1, 2000).round(2)
    cells = [repr(float(cell)) for cell in x]
    found = np.array(numeric("z_score", cells, cuts=[7, 500]))
    np.testing.assert_allclose(found, (x - x.mean()) / x.std(), rtol=0, atol=1e-5)
    np.testing.assert_allclose(numeric("min_max", cells, cuts=[7]), (x - x.min()) / np.ptp(x), rtol=0, atol=1e-6)


@pytest.mark.parametrize("transform", ["z_score", "min_max"])
@pytest.mark.parametrize("constant", ["5", "0.1", "0.7", "-123.456", "1e30"])
def test_a_constant_column_is_0_and_other_numbers_are_their_distance(transform, constant):
    found = numeric(transform, [constant] * 6, [repr(float(constant) + 2), ""], cuts=[2])
    assert found[:6] == [0.0] * 6
    assert found[6:] == pytest.approx([float(constant) + 2 - float(constant), 0.0])


@pytest.mark.parametrize("transform", ["raw", "z_score", "min_max", "log"])
@pytest.mark.parametrize("missing", ["", "  "])
def test_a_missing_number_is_0_after_the_transform(transform, missing):
    assert numeric(transform, ["5", "9", missing])[2] == 0.0


def test_missing_numbers_do_not_move_the_scale():
    assert numeric("z_score", ["5", "9", "", ""]) == [-1.0, 1.0, 0.0, 0.0]
    assert numeric("min_max", ["5", "9", "", ""]) == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize("transform", ["z_score", "min_max"])
def test_numbers_of_valid_do_not_move_the_scale(transform):
    one, other = (encode({"kind": "numeric", "transform": transform}, ["1", "5"], cells) for cells in (["9"], ["-77"]))
    assert one.field == other.field
    assert one.encoder.state() == other.encoder.state()


@pytest.mark.parametrize("transform", ["z_score", "min_max"])
def test_a_scale_of_nothing_is_refused(transform):
    with pytest.raises(UserError, match="field 'f': every cell of train is empty"):
        numeric(transform, ["", ""], ["3"])


@pytest.mark.parametrize("transform", ["raw", "log"])
def test_a_column_without_numbers_is_all_0_where_nothing_is_fitted(transform):
    assert numeric(transform, ["", ""]) == [0.0, 0.0]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("cheap", "a finite number"), ("nan", "a finite number"), ("inf", "a finite number"),
        ("-inf", "a finite number"), ("1e39", "too large"), ("-1e39", "too large"), ("1e400", "a finite number"),
        ("1_000", "a finite number"), ("0x10", "a finite number"), ("1,5", "a finite number"),
    ],
)  # fmt: skip
def test_cells_that_are_no_numbers_are_problems_with_their_rows(cell, reason):
    cells = pa.array(["1", cell, "", "2", cell]).dictionary_encode()
    _, (problem,) = field_recipe("f", "numeric").kind.stage(cells)
    assert problem.rows.tolist() == [1, 4]
    assert reason in problem.reason


@pytest.mark.parametrize("cell", ["0.1", "16777217", "1e-300", "9007199254740993", "3.4028234e38", " 1.5 ", "+2"])
def test_staged_numbers_are_those_of_float64(cell):
    (x,) = staged(field_recipe("f", "numeric"), [cell]).to_pylist()
    assert x == float(cell)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("raw", ["1", "2"]), ("log", ["1", "2"])),
        (("raw", ["1", "2"]), ("z_score", ["1", "2"])),
        (("z_score", ["1", "2"]), ("min_max", ["1", "2"])),
        (("z_score", ["1", "2"]), ("z_score", ["1", "4"])),
    ],
)
def test_fields_that_scale_otherwise_differ(one, other):
    fields = [
        encode({"kind": "numeric", "transform": transform}, cells).field for transform, cells in (one, other, one)
    ]
    assert fields[0] != fields[1]
    assert fields[0] == fields[2]


def test_a_transform_that_leaves_float32_is_refused_by_name():
    with pytest.raises(UserError, match="field 'f': its transform gives numbers too large"):
        numeric("z_score", ["0", "1e-30"], ["1e38"])


def test_an_unknown_transform_is_refused():
    with pytest.raises(UserError, match="field 'f': transform must be one of raw, z_score, min_max, log, found 'logs'"):
        numeric("logs", ["1"])
