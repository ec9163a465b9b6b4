"""Each profile alone on loopback, scanned by the real command: the table of expected verdicts holds."""

import os
from collections.abc import Iterator

import pytest

from kzmitm.cli.clock import now
from kzmitm.errors import UsageError
from kzmitm.lab.check import Result, check_profile
from kzmitm.lab.loopback.session import LoopbackSession
from kzmitm.lab.products import find_products, how_to_get
from kzmitm.lab.profile import Profile, all_profiles, on_loopback
from kzmitm.lab.session import Offer

PRODUCTS = find_products()


@pytest.fixture(scope="module")
def session() -> Iterator[LoopbackSession]:
    with LoopbackSession(now(), PRODUCTS) as session:
        yield session


def offer(session: LoopbackSession, name: str) -> Offer:
    """The profile; skip where its product is not installed, fail where it must be."""
    found = next(one for one in session.offers() if one.profile.name == name)
    if found.missing:
        reason = f"needs {how_to_get(found.missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.mark.parametrize("name", on_loopback())
def test_verdict_is_the_expected_one(name: str, session: LoopbackSession):
    found = offer(session, name)
    if name == "portal" and not session.lab.has_addresses:
        pytest.skip("a portal is told by one certificate at many addresses, and loopback is one here")
    checked = check_profile(session, found, {})
    assert checked.result is Result.PASS, checked.reasons
    assert checked.got == checked.expected


@pytest.mark.parametrize("name", on_loopback())
def test_nothing_is_left_of_a_profile_switched_off(name: str, session: LoopbackSession):
    profile = offer(session, name).profile
    active = session.switch_on(name, {})
    session.switch_off()
    findings = session.scan(profile.scanned(active.settings))
    assert {finding.row["outcome"] for finding in findings} == {"clean"}


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("sslsplit-selective", {"watched": "bank.lab.test,shop.lab.test", "root": "Another Root"}),
        ("mitmproxy", {"watched": "news.lab.test", "known": "no", "country": "RU"}),
        ("rst", {"watched": "www.maps.test"}),
        ("expired", {"sites": "social.lab.test"}),
    ],
    ids=["other names of the CA", "an unknown root", "another site", "another broken site"],
)
def test_parameters_are_obeyed(name: str, given: dict[str, str], session: LoopbackSession):
    checked = check_profile(session, offer(session, name), given)
    assert checked.result is Result.PASS, checked.reasons


def test_a_site_without_a_name_is_refused(session: LoopbackSession):
    with pytest.raises(UsageError, match="no site is called"):
        session.words(["nowhere.lab.test"])


@pytest.mark.parametrize("profile", all_profiles().values(), ids=all_profiles())
def test_profile_says_what_a_class_needs(profile: Profile):
    settings = profile.settle({})
    assert profile.lesson.endswith(".")
    assert len(profile.lesson) < 600
    assert profile.struck(settings)
    assert profile.network is not None or profile.loopback is not None
    assert all(parameter.about for parameter in profile.parameters)
    if profile.selective:
        assert len(profile.scanned(settings)) > len(profile.struck(settings))
