"""The hour and the weekday of a time, against datetime."""

from datetime import datetime, timedelta, timezone

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.columns import field_recipe
from ctr.errors import UserError
from ctr.schema import FieldKind
from tests.data.columns import encode

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
SECONDS = st.lists(st.integers(-(10**10), 10**10), min_size=1, max_size=10)
OFFSETS = st.integers(-12, 14) | st.sampled_from([5.5, -3.5, 5.75])


def parts(of: datetime) -> dict[str, int]:
    return {"hour": of.hour + 1, "weekday": of.weekday() + 1}


@pytest.mark.parametrize("part", ["hour", "weekday"])
@given(seconds=SECONDS, offset=OFFSETS, cuts=st.lists(st.integers(0, 10), max_size=2))
def test_unix_times_are_those_of_datetime(part, seconds, offset, cuts):
    column = encode({"kind": "time", "part": part, "utc_offset": offset}, list(map(str, seconds)), cuts=cuts)
    local = [EPOCH + timedelta(seconds=second, hours=offset) for second in seconds]
    assert column.ids == [[parts(time)[part]] for time in local]
    assert column.values == [[1.0]] * len(seconds)


@pytest.mark.parametrize("part", ["hour", "weekday"])
@given(seconds=SECONDS, thousandth=st.integers(0, 999))
def test_milliseconds_are_thousandths(part, seconds, thousandth):
    cells = [str(1000 * second + thousandth) for second in seconds]
    column = encode({"kind": "time", "part": part, "format": "unix_ms"}, cells)
    assert column.ids == [[parts(EPOCH + timedelta(seconds=second))[part]] for second in seconds]


@pytest.mark.parametrize(("part", "features"), [("hour", 25), ("weekday", 8)])
def test_a_time_is_a_categorical_field_of_all_its_parts(part, features):
    field = encode({"kind": "time", "part": part}, ["0"]).field
    assert (field.kind, field.num_slots, field.num_features) == (FieldKind.CATEGORICAL, 1, features)


@pytest.mark.parametrize(
    ("format", "cell", "time"),
    [
        ("%y%m%d%H", "14102100", datetime(2014, 10, 21, 0)),
        ("%Y-%m-%d %H:%M:%S", "2017-11-07 09:30:38", datetime(2017, 11, 7, 9)),
        ("%Y%m%d%H%M%S%f", "20130606000104008", datetime(2013, 6, 6, 0)),
        ("%d/%b/%Y:%H:%M:%S %z", "31/Dec/1999:23:59:59 -0500", datetime(2000, 1, 1, 4)),
        ("%d.%m.%Y %H", "29.02.1904 23", datetime(1904, 2, 29, 23)),
    ],
)
@pytest.mark.parametrize("part", ["hour", "weekday"])
def test_formats_of_strptime(format, cell, time, part):
    column = encode({"kind": "time", "part": part, "format": format}, [cell, ""], [cell], cuts=[1])
    assert column.ids == [[parts(time)[part]], [0], [parts(time)[part]]]


def test_times_without_a_zone_are_taken_as_they_are_whatever_the_offset():
    spec = {"kind": "time", "part": "hour", "format": "%Y-%m-%d %H", "utc_offset": 8}
    assert encode(spec, ["2020-01-01 23"]).ids == [[24]]


@pytest.mark.parametrize("format", ["unix", "unix_ms", "%Y"])
def test_a_missing_time_has_id_0(format):
    column = encode({"kind": "time", "part": "hour", "format": format}, ["", "1970"], [""])
    assert column.ids[::2] == [[0], [0]]
    assert column.ids[1] != [0]


@pytest.mark.parametrize(("format", "cell"), [("unix", "noon"), ("unix", "nan"), ("%Y-%m-%d", "2020-02-30")])
def test_cells_that_are_no_times_are_problems_with_their_rows(format, cell):
    kind = field_recipe("f", {"kind": "time", "part": "hour", "format": format}).kind
    good = "2020-01-01" if format.startswith("%") else "5"
    _, (problem,) = kind.stage(pa.array([good, cell, "", cell]).dictionary_encode())
    assert problem.rows.tolist() == [1, 3]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"part": "minute"}, "part must be one of hour, weekday, found 'minute'"),
        ({"part": "hour", "utc_offset": "2"}, "utc_offset must be a number of hours, found '2'"),
        ({}, "a time field needs its part"),
    ],
)
def test_a_time_field_refuses(options, told):
    with pytest.raises(UserError, match=f"field 'f': {told}"):
        encode({"kind": "time", **options}, ["0"])


@pytest.mark.parametrize("format", ["unix_us", "unixms", "unix_s"])
def test_a_misspelled_unix_format_is_refused(format):
    with pytest.raises(UserError, match="format"):
        encode({"kind": "time", "part": "hour", "format": format}, ["0"])
