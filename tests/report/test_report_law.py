"""The facts on Kazakhstan: each with its source, in three languages, and what an appeal must hold."""

import tomllib
from datetime import date
from importlib import resources

import pytest

from kzmitm.report.locale_forms import written_in
from kzmitm.report.results.law import facts_of, has_facts, law_section

DATA = tomllib.loads(
    resources.files("kzmitm.report.results").joinpath("data", "kazakhstan.toml").read_text(encoding="utf-8")
)
ENTRIES = [(kind, entry) for kind, entries in DATA.items() if isinstance(entries, list) for entry in entries]


@pytest.mark.parametrize(("kind", "entry"), ENTRIES)
def test_every_fact_is_told_in_three_languages(kind, entry):
    texts = [entry[tag] for tag in ("en", "ru", "kk")]
    assert all(text == text.strip() and text for text in texts)


@pytest.mark.parametrize("kind", ["law", "appeal", "bodies"])
def test_every_fact_has_a_source_that_is_named(kind):
    assert {entry["source"] for entry in DATA[kind]} <= {entry["id"] for entry in DATA["sources"]}


def test_the_acts_stand_by_date_with_the_order_and_its_repeal():
    dates = [act.date for act in facts_of("KZ").acts]
    assert dates == sorted(dates)
    told = {(act.date, str(act.what)[:28]) for act in facts_of("KZ").acts}
    assert (date(2015, 12, 25), "Order No. 1241 of the Minist") in told
    assert any(when == date(2018, 3, 27) and "repeals" in str(act.what) for act in facts_of("KZ").acts
               if (when := act.date))  # fmt: skip


def test_an_appeal_has_the_five_parts_that_the_authority_asks_for():
    assert list(facts_of("KZ").appeal) == ["applicant", "violation", "time", "material", "organisation"]


def test_facts_are_said_in_the_language_that_is_written():
    with written_in("ru"):
        assert str(facts_of("KZ").appeal["time"]).startswith("Когда")
    with written_in("de"):
        assert str(facts_of("KZ").appeal["time"]).startswith("When")


def test_of_other_countries_nothing_is_known():
    assert not has_facts("XX")
    assert not has_facts(None)


def test_the_section_names_every_source():
    text = repr(law_section("KZ"))
    assert "Kazakhstan Internet Landscape" in text
    assert "registered on 31 December 2015" in text
