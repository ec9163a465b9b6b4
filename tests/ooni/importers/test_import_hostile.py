"""No importer raises, whatever the file holds, and each file is told apart or not without raising."""

import gzip
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from import_hostile import SEEDS, check, edited

from kzmitm.ooni.importing import formats, recognised


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from(SEEDS), edits=st.binary(max_size=36))
def test_edited_files(seed, edits):
    kind, octets = seed
    check(kind, edited(octets, edits))


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(list(formats())), octets=st.binary(max_size=300), packed=st.booleans())
def test_any_octets(kind, octets, packed):
    recognised(octets)
    check(kind, gzip.compress(octets) if packed else octets)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=6), x, max_size=3),
    max_leaves=6,
)


def _paths(value, path=()):
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from([s for s in SEEDS if s[0] not in ("pcap", "nmap")]), data=st.data(), value=JSON)
def test_any_value_in_any_field(seed, data, value):
    kind, octets = seed
    try:
        document = json.loads(octets)
    except ValueError:
        document = [json.loads(line) for line in octets.splitlines()]
    path = data.draw(st.sampled_from([p for p in _paths(document) if p]))
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    check(kind, json.dumps(document).encode())


@pytest.mark.parametrize("seed", SEEDS, ids=[f"{i}-{kind}" for i, (kind, _) in enumerate(SEEDS)])
@pytest.mark.untraced
def test_files_that_are_cut_off_anywhere(seed):
    kind, octets = seed
    for size in range(0, len(octets), max(1, len(octets) // 150)):
        check(kind, octets[:size])
