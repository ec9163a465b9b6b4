"""The list of all roots that were ever public: whole, fast, and nothing damaged gets through."""

import hashlib
import json
import time
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registry_tools import FACTS

from kzmitm.errors import FingerprintError
from kzmitm.pki.baseline import MAX_AGE, compare, pinned_baseline, read_baseline, with_former
from kzmitm.pki.store import pinned_store
from kzmitm.resources import truststore_files

ONE, TWO, THREE, KEY = ("1" * 64), ("2" * 64), ("3" * 64), ("e" * 64)
PROGRAMMES = {"apple": {"fetched": "2026-01-02", "version": "26"}, "mozilla_nss": {"fetched": "2026-01-03"}}


def listed(*roots: object, **keys: object) -> bytes:
    document = {"source": "a test", "snapshot": "2026-01-05", "programmes": PROGRAMMES, "roots": list(roots)}
    return json.dumps({**document, **keys}).encode()


def read(*roots: object, **keys: object):
    return read_baseline(listed(*roots, **keys), name="x")


@pytest.fixture(scope="module")
def shipped():
    return pinned_baseline(truststore_files())


def test_the_pinned_roots_are_all_in_it_and_trusted(shipped):
    anchors = pinned_store(truststore_files()).anchors
    assert len(anchors) > 100
    for anchor in anchors:
        assert shipped.was_public(anchor.sha256)
        assert shipped.programmes(anchor.sha256)
        assert anchor.sha256 in {root.sha256 for root in shipped.with_key(anchor.spki_sha256)}


def test_it_says_where_it_is_from(shipped):
    assert shipped.source == "https://github.com/nabla-c0d3/trust_stores_observatory"
    assert (shipped.licence, shipped.snapshot) == ("MIT", date(2026, 7, 19))
    assert {one.id for one in shipped.lists} >= {"apple", "google_aosp", "microsoft_windows", "mozilla_nss"}
    content = truststore_files()["baseline.json"]
    assert shipped.sha256 == hashlib.sha256(content).hexdigest()
    assert len(content) < 250_000
    rows = content.decode().splitlines()[1:-1]
    assert rows == sorted(rows)
    assert len(rows) == json.loads(content)["counts"]["roots"]
    assert len(rows) + len(shipped.former.roots) == len(shipped.roots)


def test_what_was_carried_in_earlier_years_is_in_it_and_says_where_that_is_from(shipped):
    content = truststore_files()["former.json"]
    document, rows = json.loads(content), content.decode().splitlines()[1:-1]
    assert (shipped.former.source, shipped.former.licence) == (
        "https://github.com/certifi/python-certifi",
        "MPL-2.0",
    )
    assert shipped.former.sha256 == hashlib.sha256(content).hexdigest()
    assert rows == sorted(rows)
    assert len(rows) == document["counts"]["roots"] == len(shipped.former.roots)
    releases = list(document["releases"])
    for row in document["roots"]:
        assert releases.index(row["first_release"]) <= releases.index(row["last_release"])
        assert shipped.was_public(row["sha256"])
        assert not shipped.programmes(row["sha256"])
        assert not shipped.is_blocked(row["sha256"])
        assert row["sha256"] in {root.sha256 for root in shipped.with_key(row["spki_sha256"])}


def test_the_collection_knows_better_than_the_list_of_earlier_years():
    collected = read({"sha256": ONE, "trusted_by": ["apple"]})
    former = read_baseline(listed({"sha256": ONE}, {"sha256": TWO, "spki_sha256": KEY}), name="x")
    joined = with_former(collected, former)
    assert (joined.programmes(ONE), joined.programmes(TWO), joined.was_public(TWO)) == (("apple",), (), True)
    assert list(joined.former.roots) == [TWO]
    assert [root.sha256 for root in joined.with_key(KEY)] == [TWO]
    assert (joined.sha256, joined.snapshot) == (collected.sha256, collected.snapshot)


def test_another_list_need_not_have_what_is_of_earlier_years():
    ours = with_former(read({"sha256": ONE}), read({"sha256": TWO}))
    lacks = compare(ours, read())
    assert [root.sha256 for root in lacks.missing] == [ONE]
    has = compare(ours, read({"sha256": ONE}, {"sha256": TWO, "trusted_by": ["apple"]}))
    assert (has.added, has.missing) == ((), ())
    assert [root.sha256 for root in has.trusted] == [TWO]


@pytest.mark.skipif(not FACTS.is_dir(), reason="the facts (../shared/facts) are not here")
def test_no_root_of_the_facts_is_lost(shipped):
    content = (FACTS / "public-roots.json").read_bytes()
    facts = json.loads(content)
    for fact in facts["roots"]:
        root = shipped.roots[fact["sha256"]]
        assert (root.spki_sha256, root.subject, root.recomputed) == (
            fact["spki_sha256"],
            fact["subject"],
            fact["recomputed"],
        )
        assert (list(root.trusted_by), list(root.blocked_by)) == (fact["trusted_by"], fact["blocked_by"])
    for fact in facts["listed_without_certificate"]:
        root = shipped.roots[fact["sha256"]]
        assert (root.recomputed, list(root.blocked_by)) == (False, fact["blocked"])
    changes = compare(shipped, read_baseline(content, name="facts"))
    assert (changes.added, changes.missing, changes.trusted, changes.distrusted) == ((), (), (), ())


def test_it_is_read_and_asked_fast(shipped):
    files = truststore_files()
    reading, asking = [], []
    digest = next(iter(shipped.roots))
    for _ in range(10):
        begun = time.perf_counter()
        pinned_baseline(files)
        reading.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        for _ in range(1000):
            shipped.programmes(digest)
        asking.append((time.perf_counter() - begun) / 1000)
    assert min(reading) < 0.03
    assert min(asking) < 1e-6


def test_what_is_told_of_a_root():
    some = read(
        {"sha256": ONE, "spki_sha256": KEY, "subject": "CN=One", "trusted_by": ["apple"]},
        {"sha256": TWO, "spki_sha256": KEY, "blocked_by": ["mozilla_nss"]},
        listed_without_certificate=[{"sha256": THREE, "trusted": [], "blocked": ["apple"]}],
    )
    assert some.programmes(ONE) == ("apple",)
    assert (some.is_blocked(ONE), some.is_blocked(TWO), some.is_blocked(THREE)) == (False, True, True)
    assert some.blocked_by(TWO) == ("mozilla_nss",)
    assert [root.sha256 for root in some.with_key(KEY)] == [ONE, TWO]
    assert (some.roots[ONE].recomputed, some.roots[THREE].recomputed) == (True, False)
    unknown = "0" * 64
    assert (some.programmes(unknown), some.was_public(unknown), some.is_blocked(unknown)) == (
        (),
        False,
        False,
    )
    assert some.with_key(None) == some.with_key(unknown) == ()
    assert [one.version for one in some.lists] == ["26", None]


def test_a_root_may_stand_twice_if_it_is_the_same():
    assert len(read({"sha256": ONE}, {"sha256": ONE}).roots) == 1
    with pytest.raises(FingerprintError, match=r"root 1: 1+ is in it twice"):
        read({"sha256": ONE}, {"sha256": ONE, "trusted_by": ["apple"]})


def test_its_age():
    some = read()
    assert not some.is_old(some.snapshot + MAX_AGE)
    assert some.is_old(some.snapshot + MAX_AGE + timedelta(days=1))


def test_two_lists_are_compared():
    ours = read(
        {"sha256": ONE, "trusted_by": ["apple"]}, {"sha256": TWO, "trusted_by": ["apple"]}, {"sha256": KEY}
    )
    other = read(
        {"sha256": ONE, "trusted_by": ["apple", "mozilla_nss"]},
        {"sha256": TWO},
        {"sha256": THREE, "subject": "CN=New"},
    )
    changes = compare(ours, other)
    assert [[root.sha256 for root in kind] for kind in (changes.added, changes.missing)] == [[THREE], [KEY]]
    assert [root.sha256 for root in changes.trusted] == [ONE]
    assert [root.sha256 for root in changes.distrusted] == [TWO]
    blocked = compare(ours, read({"sha256": KEY, "blocked_by": ["apple"]}))
    assert [root.sha256 for root in blocked.distrusted] == [KEY]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a list of public roots"),
        (b"{}", "not a list of public roots"),
        (listed(snapshot="soon"), "not a list of public roots"),
        (listed(source=7), "not a list of public roots"),
        (listed(programmes=[]), "not a list of public roots"),
        (listed(programmes={"apple": 7}), "not a list of public roots"),
        (listed(programmes={"apple": {"fetched": "2026-01-02", "version": 7}}), "not a list of public roots"),
        (listed(listed_without_certificate=7), "not a list of public roots"),
        (listed(7), "root 0"),
        (listed({}), "root 0"),
        (listed({"sha256": "x" * 64}), "root 0"),
        (listed({"sha256": 7}), "root 0"),
        (listed({"sha256": ONE, "spki_sha256": "x"}), "root 0"),
        (listed({"sha256": ONE, "subject": "x" * 3000}), "root 0"),
        (listed({"sha256": ONE}, {"sha256": TWO, "trusted_by": ["nobody"]}), "root 1"),
        (listed({"sha256": ONE, "trusted_by": [[]]}), "root 0"),
        (listed({"sha256": ONE, "trusted_by": 7}), "root 0"),
        (listed(*[{}] * 20_001), "more than"),
    ],
)
def test_a_damaged_list_is_said_to_be(content, complaint):
    with pytest.raises(FingerprintError, match=complaint) as caught:
        read_baseline(content, name="the list")
    assert str(caught.value).startswith("the list: ")


KEYS = ["source", "snapshot", "programmes", "roots", "sha256", "trusted_by"]
DOCUMENTS = st.recursive(
    st.none() | st.integers() | st.text() | st.booleans(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(KEYS), inner),
)


@given(DOCUMENTS)
def test_no_document_makes_it_raise_anything_else(document):
    for content in (json.dumps(document), json.dumps({**json.loads(listed()), "roots": [document]})):
        try:
            read_baseline(content.encode(), name="x")
        except FingerprintError:
            continue


@pytest.mark.parametrize("name", ["baseline", "former"])
def test_list_and_description_belong_together(name):
    files = truststore_files()
    about, content = files[f"{name}.toml"], files[f"{name}.json"]
    day = json.loads(content)["snapshot"].encode()
    for changed, complaint in (
        ({f"{name}.toml": b""}, "KeyError"),
        ({f"{name}.toml": b"="}, "TOML"),
        ({f"{name}.json": content + b" "}, "not the file that"),
        ({f"{name}.toml": about.replace(b"count = ", b"count = 1")}, "does not say"),
        ({f"{name}.toml": about.replace(day, b"2020-01-01")}, "does not say"),
    ):
        with pytest.raises(FingerprintError, match=complaint):
            pinned_baseline({**files, **changed})
    with pytest.raises(FingerprintError):
        pinned_baseline({other: held for other, held in files.items() if not other.startswith(name)})
