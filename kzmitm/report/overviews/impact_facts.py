"""The published assessment of the root certificate programme: facts with a source, of `data/impact.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any, Final

from kzmitm.report.results.law import Said

_FILE: Final = "impact.toml"
_LANGUAGES: Final = ("en", "ru", "kk")


class Item(StrEnum):
    """What the assessment asks about, by its id in the file."""

    INFRASTRUCTURE = "infrastructure"
    ARCHITECTURE = "architecture"
    ROUTING = "routing"
    IDENTIFIERS = "identifiers"
    NEUTRALITY = "neutrality"
    ACCESS = "access"
    DEPLOYMENT = "deployment"
    GOVERNANCE = "governance"
    REACHABILITY = "reachability"
    CAPACITY = "capacity"
    CONFIDENTIALITY = "confidentiality"
    INTEGRITY = "integrity"
    RELIABILITY = "reliability"
    ACCOUNTABILITY = "accountability"
    PRIVACY = "privacy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """An item; `goal` is the id of what it enables (empty: a critical property)."""

    item: Item
    name: Said
    goal: str = ""
    because: Said | None = None
    """Why the source calls it affected; None if it does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The whole table, with where it is from."""

    source: Said
    toolkit: Said
    goals: Mapping[str, Said]
    properties: tuple[Assessed, ...]
    enablers: tuple[Assessed, ...]


@cache
def assessment() -> Assessment:
    """The assessment as it was published."""
    place = resources.files("kzmitm.report.overviews").joinpath("data", _FILE)
    document = tomllib.loads(place.read_text(encoding="utf-8"))
    return Assessment(
        source=_said(document["source"]),
        toolkit=_said(document["toolkit"]),
        goals={name: _said(each) for name, each in document["goals"].items()},
        properties=tuple(map(_assessed, document["properties"])),
        enablers=tuple(map(_assessed, document["enablers"])),
    )


def _assessed(entry: Mapping[str, Any]) -> Assessed:
    return Assessed(
        item=Item(entry["id"]),
        name=_said(entry),
        goal=entry.get("goal", ""),
        because=_said(entry["because"]) if "because" in entry else None,
    )


def _said(entry: Mapping[str, Any]) -> Said:
    return Said({language: entry[language] for language in _LANGUAGES})
