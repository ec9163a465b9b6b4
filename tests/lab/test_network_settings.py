"""Whatever text a parameter of a profile is given: it settles, for good, or is refused in one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.errors import UsageError
from kzmitm.lab.parts.parameters import ca_names
from kzmitm.lab.profile import Profile, all_profiles
from kzmitm.lab.settings import Settings

PROFILES = tuple(all_profiles().values())
CHOICES = [(profile, parameter.name) for profile in PROFILES for parameter in profile.parameters]

ANYTHING = st.text(st.characters(exclude_categories=()))
"""Also lone surrogates and what is not assigned."""
PARTS = (
    *("all", "access", "yes", "no", "KZ", "ru", "2024", "bank.lab.test", "BANK.lab.test.", "x.test", "test"),
    *(".", "..", ",", ", ", " ", "-", "\u212a.test", "\u0130.test", "\u00df.test", "\uff0e", "\t", "\0"),
    *('"', "\\", "a" * 63),
)
PIECES = st.lists(st.sampled_from(PARTS)).map("".join)
"""Nearly what is possible."""


def settled(profile: Profile, values: dict[str, str]) -> Settings | None:
    try:
        return profile.settle(values)
    except UsageError as exc:
        for line in (str(exc), exc.hint):
            assert line
            assert line.isprintable()
        return None


@given(st.sampled_from(CHOICES), st.one_of(ANYTHING, PIECES))
def test_any_text_settles_or_is_refused(choice: tuple[Profile, str], text: str):
    profile, name = choice
    settings = settled(profile, {name: text})
    if settings is None:
        return
    assert settled(profile, {name: settings[name]}) == settings
    assert settled(profile, dict(settings.values)) == settings
    for parameter in profile.parameters:
        assert parameter.name in settings
        for item in settings.names(parameter.name) if parameter.choices else ():
            assert item in parameter.choices
    if name in ("watched", "sites"):
        for hostname in settings.names(name):
            assert hostname.isascii()
            assert hostname == hostname.lower()
            assert hostname.endswith(".test")


@given(st.sampled_from(PROFILES), st.dictionaries(ANYTHING, ANYTHING, max_size=3))
def test_any_names_settle_or_are_refused(profile: Profile, values: dict[str, str]):
    settings = settled(profile, values)
    if settings is not None:
        assert values.keys() <= {parameter.name for parameter in profile.parameters}


FORGING = [choice for choice in CHOICES if choice[1] in ("root", "intermediate", "organization", "country")]


LETTERS = st.text("Құпия\u00e9 \"\\'", min_size=1, max_size=64)


def assert_certifiable(profile: Profile, name: str, text: str) -> None:
    settings = settled(profile, {name: text})
    if settings is not None:
        names = ca_names(settings)
        assert names.distinguished(names.root).public_bytes()
        assert names.distinguished(names.intermediate).public_bytes()


@given(st.sampled_from(FORGING), st.one_of(ANYTHING, PIECES, LETTERS))
def test_names_that_settle_can_be_in_a_certificate(choice: tuple[Profile, str], text: str):
    assert_certifiable(*choice, text)


@pytest.mark.parametrize("text", ["Қ" * 32, "Қ" * 33, "Қ" * 64, "K" * 64, "K" * 65])
def test_longest_names_can_be_in_a_certificate(text: str):
    for choice in FORGING:
        assert_certifiable(*choice, text)


@pytest.mark.parametrize("text", ["", " ", ",", " , ,", "."])
def test_sites_are_never_none(text: str):
    for profile, name in CHOICES:
        if name in ("watched", "sites"):
            assert settled(profile, {name: text}) is None


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_defaults_are_settled(profile: Profile):
    settings = profile.settle({})
    assert profile.settle(dict(settings.values)) == settings
    assert list(settings.changed(profile.parameters)) == []
    if profile.network is not None:
        assert profile.struck(settings)
