"""Each profile alone, scanned by the real engine: the table of expected verdicts holds."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab_scan import registry_for, scan_lab

from kzmitm.cli.clock import now
from kzmitm.lab.check import misjudged
from kzmitm.lab.laboratory import Lab
from kzmitm.lab.products import find_products, how_to_get
from kzmitm.lab.profile import Place, Profile, all_profiles

PRODUCTS = find_products()


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(now=now(), products=PRODUCTS).running() as lab:
        yield lab


def need(profile: Profile) -> None:
    """Skip where the product is not installed; fail where it must be."""
    if missing := PRODUCTS.lacks(profile.needs):
        reason = how_to_get(missing)
        if os.environ.get("CI"):
            pytest.fail(f"needs {reason}")
        pytest.skip(f"needs {reason}")


@pytest.mark.parametrize("name", all_profiles())
def test_verdict_is_the_expected_one(name: str, lab: Lab, tmp_path: Path):
    profile = all_profiles()[name]
    need(profile)
    if name == "portal" and not lab.has_addresses:
        pytest.skip("a portal is told by one certificate at many addresses, and loopback is one here")
    registry = registry_for(lab, tmp_path / "overlay")
    if profile.place is Place.ORIGIN:
        lab.switch_on(name)
    _, control = scan_lab(lab, profile.sites, registry=registry, routes=lab.clean_routes())
    if profile.place is Place.PATH:
        lab.switch_on(name)
    # a portal is met where nothing is known of the sites yet
    known = {} if name == "portal" else control
    rows, _ = scan_lab(lab, profile.sites, registry=registry, control=known)
    expectations = {site: profile.expected_for(lab.sites[site]) for site in profile.sites}
    assert not list(misjudged(rows, expectations)), rows


@pytest.mark.parametrize("name", all_profiles())
def test_nothing_is_left_of_a_profile_switched_off(name: str, lab: Lab, tmp_path: Path):
    profile = all_profiles()[name]
    need(profile)
    registry = registry_for(lab, tmp_path / "overlay")
    lab.switch_on(name)
    lab.switch_off(name)
    rows, _ = scan_lab(lab, profile.sites, registry=registry)
    assert {row["outcome"] for row in rows} == {"clean"}, rows
