"""What is known of a country's law, bodies and appeals: facts with sources, out of `data/COUNTRY.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Date  # noqa: N812 (as in locale_forms)
from functools import cache
from importlib import resources
from typing import Any

from kzmitm.report.document import Block, Heading, Section, Table, Terms, Text
from kzmitm.report.language import _
from kzmitm.report.locale_forms import date, language

_FILES = {"KZ": "kazakhstan.toml"}
_FALLBACK = "en"


@dataclass(frozen=True, slots=True)
class Said:
    """A text in the languages that the file has."""

    texts: Mapping[str, str]

    def __str__(self) -> str:
        """In the language that is written here, else in English."""
        return self.texts.get(language(), self.texts[_FALLBACK])


@dataclass(frozen=True, slots=True)
class Act:
    """A law or an order: its date, what it is, and where that is read."""

    date: Date
    what: Said
    source: Said


@dataclass(frozen=True, slots=True)
class Rule:
    """A paragraph of the rules for the certificate."""

    paragraph: str
    what: Said


@dataclass(frozen=True, slots=True)
class Body:
    """Somebody to whom people may turn."""

    name: Said
    is_state: bool
    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one country. `appeal` are the parts of an appeal by their ids."""

    as_of: str
    acts: tuple[Act, ...]
    rules: tuple[Rule, ...]
    appeal: Mapping[str, Said]
    appeal_source: Said
    bodies: tuple[Body, ...]


def has_facts(country: str | None) -> bool:
    """True for a country of which the law is known here."""
    return country in _FILES


@cache
def facts_of(country: str) -> Facts:
    """The facts of a country; KeyError if there are none."""
    file = resources.files("kzmitm.report.results").joinpath("data", _FILES[country])
    return _facts(tomllib.loads(file.read_text(encoding="utf-8")))


def _facts(data: Mapping[str, Any]) -> Facts:
    sources = {each["id"]: _said(each) for each in data["sources"]}
    return Facts(
        as_of=data["as_of"],
        acts=tuple(Act(each["date"], _said(each), sources[each["source"]]) for each in data["law"]),
        rules=tuple(Rule(each["paragraph"], _said(each)) for each in data["rules"]),
        appeal={each["id"]: _said(each) for each in data["appeal"]},
        appeal_source=sources[data["appeal"][0]["source"]],
        bodies=tuple(_body(each) for each in data["bodies"]),
    )


def _said(entry: Mapping[str, Any]) -> Said:
    return Said({key: entry[key] for key in ("en", "ru", "kk")})


def _body(entry: Mapping[str, Any]) -> Body:
    ways = (*entry.get("phones", ()), *(entry[key] for key in ("email", "address", "url") if key in entry))
    return Body(_said(entry), entry["is_state"], ways)


def law_section(country: str) -> Section:
    """What the certificate is by the law of the country, with dates and sources."""
    facts = facts_of(country)
    blocks: tuple[Block, ...] = (
        Text(
            _(
                "An interception like this needs devices to trust a certificate that the state gave out. "
                "These acts dealt with it, as known in {year}. They are facts with dates and no legal "
                "advice: whether any of them covers what is reported here is for a lawyer to say."
            ).format(year=facts.as_of)
        ),
        Table(
            caption=_("Acts, by date"),
            columns=(_("Date"), _("Act"), _("Source")),
            rows=tuple((date(act.date), str(act.what), str(act.source)) for act in facts.acts),
        ),
        Heading(_("What the rules of order No. 1241 said, until they were repealed in 2018")),
        Terms(tuple((_("Paragraph {n}").format(n=rule.paragraph), str(rule.what)) for rule in facts.rules)),
        Text(_("Whether other rules took their place is not known here.")),
    )
    return Section(id="law", title=_("The certificate in the law"), blocks=blocks)
