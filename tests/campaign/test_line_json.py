"""Lines by the quick encoder say what those of the standard library would."""

import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work_samples import result_for, sample_plan

from kzmitm.campaign import line_json as module
from kzmitm.campaign.line_json import line_json
from kzmitm.errors import UsageError
from kzmitm.model.verdict import Outcome

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(1 << 63), (1 << 63) - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
    max_leaves=20,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), VALUES))
def test_what_is_written_is_read_again(document):
    octets = line_json(document)
    assert json.loads(octets) == document
    assert b"\n" not in octets


def test_a_measurement_is_the_same_but_for_how_numbers_are_written():
    line = result_for(sample_plan(), 0).line
    document = json.loads(line)
    assert json.loads(line_json(document)) == document
    assert b'"input":"' in line_json(document)  # without white space, as readers of archives look for it


def test_words_of_the_model_are_texts():
    assert line_json({"a": Outcome.CLEAN, "b": (1, 2)}) == b'{"a":"clean","b":[1,2]}'


def test_without_the_extra_it_is_said_what_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "msgspec", None)
    module._encoder.cache_clear()
    with pytest.raises(UsageError, match="msgspec"):
        line_json({})
    module._encoder.cache_clear()
