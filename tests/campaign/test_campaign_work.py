"""Items and results as JSON: what was written is read again, and nothing else gets in."""

import json
from dataclasses import replace

import fuzz_work
import pytest
from hypothesis import given
from hypothesis import strategies as st
from work_samples import KEY, OTHER_KEY, result_for, sample_plan

from kzmitm.campaign.plan import JobKind, Share
from kzmitm.campaign.remote_setup import item_of
from kzmitm.campaign.work import (
    MAX_ITEM,
    MAX_RESULT,
    WorkError,
    WorkItem,
    WorkOptions,
    parse_item,
    parse_result,
    result_of_work,
)
from kzmitm.model.target import parse_target

PLAN = sample_plan()
ITEM = item_of(PLAN, PLAN.job(Share(1, "a"), 0), attempt=1, benign=("example.org",))
NAME = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,39}", fullmatch=True)
ITEMS = st.builds(
    WorkItem,
    campaign=NAME,
    plan=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
    job=st.from_regex(r"[0-9a-f]{32}", fullmatch=True),
    number=st.integers(0, 19_999_999),
    round=st.integers(1, 100_000),
    vantage=NAME,
    kind=st.sampled_from(list(JobKind)),
    target=st.sampled_from(
        [parse_target(each) for each in ("a.example", "b.example:8443", "[2001:db8::1]:1")]
    ),
    attempt=st.integers(1, 1000),
    options=st.builds(
        WorkOptions,
        profile=st.sampled_from(["small"]),
        families=st.sampled_from([(4,), (6,), (4, 6)]),
        follow_ups=st.booleans(),
        timeout=st.floats(0.1, 600),
        max_addresses=st.integers(1, 16),
        benign=st.lists(st.sampled_from(["x.example", "y.example"]), max_size=16).map(tuple),
        concurrency=st.integers(1, 10_000),
        rate=st.none() | st.floats(0.001, 100_000),
        endpoint_gap=st.floats(0, 86400),
        network_concurrency=st.integers(1, 10_000),
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(ITEMS)
def test_an_item_is_read_as_it_was_written(item):
    octets = item.encoded()
    assert len(octets) <= MAX_ITEM
    assert parse_item(octets) == item


def test_a_result_is_read_as_it_was_written():
    for number in range(3):
        result = result_for(PLAN, number)
        assert parse_result(result.encoded()) == result
        result.check()


@given(st.binary(max_size=200))
def test_octets_of_strangers_are_an_item_or_an_error(octets):
    for parse in (parse_item, parse_result):
        with pytest.raises(WorkError):
            parse(octets)


def complaint(parse, document):
    """What is wrong with a document, "" if nothing."""
    try:
        parse(json.dumps(document).encode())
    except WorkError as exc:
        return str(exc)
    return ""


TOLD = json.loads(ITEM.encoded())
WHOLE = ("no JSON", "longer", "more", "signature")
"""How complaints begin that are of no key."""


@given(st.sampled_from(sorted(TOLD)), JSON)
def test_a_value_of_another_form_is_an_error_that_names_its_key(key, value):
    found = complaint(parse_item, TOLD | {key: value})
    assert found.startswith((key, *TOLD["options"], *WHOLE)) if found else True


@given(st.sampled_from(sorted(json.loads(result_for(PLAN, 0).encoded()))), JSON)
def test_results_likewise(key, value):
    document = json.loads(result_for(PLAN, 0).encoded()) | {key: value}
    found = complaint(lambda octets: parse_result(octets).check(), document)
    assert found.startswith((key, *WHOLE)) if found else True


@given(st.dictionaries(st.text(min_size=1, max_size=12).map("x_{}".format), JSON))
def test_unknown_keys_are_passed_over(more):
    found = complaint(parse_item, TOLD | more)
    assert found.startswith("no JSON") if found else True  # NaN, long numbers, half characters


@pytest.mark.parametrize("key", sorted(set(json.loads(ITEM.encoded())) - {"options", "attempt"}))
def test_what_is_missing_is_named(key):
    document = json.loads(ITEM.encoded())
    del document[key]
    with pytest.raises(WorkError, match=f"^{key}: "):
        parse_item(json.dumps(document).encode())


def test_what_is_too_long_is_refused_before_it_is_read():
    for parse, most in ((parse_item, MAX_ITEM), (parse_result, MAX_RESULT)):
        with pytest.raises(WorkError, match="longer than"):
            parse(b" " * (most + 1))
    with pytest.raises(WorkError, match="longer than"):
        result_of_work(ITEM, b"x" * MAX_RESULT, KEY).encoded()


def test_a_changed_line_or_key_is_noticed():
    result = result_for(PLAN, 0)
    with pytest.raises(WorkError, match=r"^signature: "):
        replace(result, line=result.line + b" ").check()
    with pytest.raises(WorkError, match=r"^signature: "):
        replace(result, key=OTHER_KEY.public).check()


def test_the_same_result_has_the_same_id_and_another_try_another():
    assert ITEM.message_id(KEY.public) == ITEM.message_id(KEY.public)
    ids = {
        ITEM.message_id(KEY.public),
        ITEM.message_id(OTHER_KEY.public),
        replace(ITEM, attempt=2).message_id(KEY.public),
        replace(ITEM, job="0" * 32).message_id(KEY.public),
    }
    assert len(ids) == 4


def test_the_fuzzer_takes_its_own_seeds():
    for octets in fuzz_work.seeds():
        fuzz_work.one(octets)
        fuzz_work.one(octets[:-7])
