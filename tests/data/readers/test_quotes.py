"""Where records end, and quotes that stand where none may: against a walk letter by letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctr.data.readers import quotes
from ctr.errors import UserError

TEXT = st.lists(st.sampled_from([b"a", b",", b'"', b"\n", b"\r\n", b"\xc3\xa9"]), max_size=30).map(b"".join)


def walked(content: bytes, quote: str | None) -> list[int]:
    """The place after each line end that is not between quotes."""
    found, is_open = [], False
    for place, letter in enumerate(content, start=1):
        is_open ^= quote is not None and letter == ord(quote)
        if letter == ord("\n") and not is_open:
            found.append(place)
    return found


@given(TEXT, st.sampled_from(['"', None, "'"]))
def test_records_end_at_line_ends_that_no_quotes_enclose(content, quote):
    expected = walked(content, quote)
    assert quotes.ends(content, quote).tolist() == expected
    assert quotes.first_end(content, quote) == (expected[0] if expected else 0)
    assert quotes.last_end(content, quote) == (expected[-1] if expected else 0)


@given(TEXT)
def test_what_is_left_and_the_rejects_are_all_lines_in_order(content):
    left, rejects = quotes.without_strays(content, 1, ",", '"', final=True)
    assert left.count(b"\n") + len(rejects) in (content.count(b"\n"), content.count(b"\n") + 1)
    taken = [reject.text.encode() for reject in rejects]
    lines = [line.rstrip(b"\r\n") for line in content.splitlines(keepends=True)]
    assert sorted([*taken, *(line.rstrip(b"\r\n") for line in left.splitlines(keepends=True))]) == sorted(lines)
    assert quotes.without_strays(left, 1, ",", '"', final=True) == (left, [])


FINE = [b"", b"a,b\n", b'"a","b"\n', b'"a\nb",c\n', b'"say ""hi""",c\n', b'"",""\n', b'a,"b"\r\n', b'""""\n', b'"a,b"']
STRAY = {
    "inside a cell": b'5" pipe,1\n',
    "around part of a cell": b'a"b"c,1\n',
    "text after a quoted cell": b'1,"x"y\n',
    "a blank before a quoted cell": b'1, "x"\n',
    "text between quotes": b'"a"b"c",1\n',
    "never closed": b'1,"x\n',
}


@pytest.mark.parametrize("content", FINE)
def test_quotes_around_whole_cells_stay(content):
    assert quotes.without_strays(content, 1, ",", '"', final=True) == (content, [])


@pytest.mark.parametrize("case", STRAY)
def test_the_line_of_a_stray_quote_is_taken_out(case):
    content = b'a,b\n"x\ny",2\n' + STRAY[case] + b"c,d\n"
    left, (reject,) = quotes.without_strays(content, 7, ",", '"', final=True)
    assert left == b'a,b\n"x\ny",2\nc,d\n'
    assert (reject.line, reject.text) == (10, STRAY[case].decode().strip())
    assert "quotes only around whole cells" in reject.reason
    assert "reader.quote=null" in reject.reason


def test_a_quote_that_is_open_at_the_end_may_be_closed_by_the_next_block():
    content = b'a,b\n"x\ny'
    assert quotes.without_strays(content, 1, ",", '"', final=False) == (content, [])


def test_more_strays_than_any_accident_are_refused_with_advice():
    with pytest.raises(UserError, match=r"more than 1,000 quotes inside cells.*reader.quote=null"):
        quotes.without_strays(b'5" pipe,1\n' * 1001, 1, ",", '"', final=True)
