"""`decode(emit(m)) == m`, and what others send ends in a measurement or in a DecodeError."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from measurement_strategies import MEASUREMENTS

from kzmitm.model.measurement import Measurement
from kzmitm.ooni.decode import DecodeError, decode
from kzmitm.ooni.emit import emit

FAILURES = st.none() | st.sampled_from(["ssl_invalid_hostname", "ssl_unknown_authority"])


@st.composite
def lines(draw):
    """(measurement, its line as read from a file)."""
    m = draw(MEASUREMENTS)
    failures = draw(st.none() | st.lists(FAILURES, min_size=len(m.tls), max_size=len(m.tls)))
    document = emit(m, failures=failures, test_start_time=m.started_at)
    return m, json.loads(json.dumps(document, allow_nan=False))


@settings(max_examples=150, deadline=None)
@given(lines())
def test_nothing_is_lost(line: tuple[Measurement, dict]):
    m, document = line
    assert decode(document) == m


def places(value, path=()):
    """Every path into a JSON value."""
    yield path
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield from places(child, (*path, key))


STRANGE = [None, True, -1, 2**70, 1.5, "", "\0", "x" * 70_000, [], [[]], {}, {"x": 1}, [None] * 5000, "²"]


@settings(max_examples=300, deadline=None)
@given(lines(), st.data())
def test_a_strange_value_anywhere_is_an_error_with_a_path_or_passed_over(line, data):
    document = copy.deepcopy(line[1])
    path = data.draw(st.sampled_from(list(places(document))))
    strange = data.draw(st.sampled_from(STRANGE))
    if path:
        parent = document
        for key in path[:-1]:
            parent = parent[key]
        parent[path[-1]] = strange
    else:
        document = strange
    try:
        assert isinstance(decode(document), Measurement)
    except DecodeError as exc:
        assert str(exc).startswith("$")  # noqa: PT017 (either end is right)


@pytest.mark.parametrize("document", [None, [], "x", 7], ids=repr)
def test_no_object_at_all(document):
    with pytest.raises(DecodeError, match=r"^\$: not an object"):
        decode(document)
