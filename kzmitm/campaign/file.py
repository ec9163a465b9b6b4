"""A campaign as one TOML file: who is asked what, from where, how often, how gently, and what is kept.

Everything that is wrong in a file is found at once, each mistake with its line. Examples: examples/*.toml.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

from kzmitm.campaign import forms
from kzmitm.campaign.forms import FormError, Key
from kzmitm.campaign.places import Path, line_of, places
from kzmitm.campaign.sections import (
    CampaignFile,
    CollectPart,
    ControlsPart,
    HooksPart,
    LimitsPart,
    RoundsPart,
    StopPart,
    TargetsPart,
    VantagePart,
)
from kzmitm.errors import UsageError
from kzmitm.wire.profiles import PROFILES
from kzmitm.wording import Wording

MAX_FILE = 1 << 20
"""Octets; target lists are files of their own."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """Something wrong in a file: on which line, at which key, what, and what would be right."""

    line: int
    key: str
    what: str

    def __str__(self) -> str:
        return f"{self.line}: {self.key}: {self.what}" if self.key else f"{self.line}: {self.what}"


class CampaignFileError(UsageError):
    """A file with mistakes; the message is the first, with its line."""

    def __init__(self, name: str, mistakes: tuple[Mistake, ...]) -> None:
        more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
        super().__init__(
            f"{name}:{mistakes[0]}{more}", hint=Wording("kzmitm campaign check FILE names all mistakes")
        )
        self.mistakes = mistakes


_SMALL = forms.whole(1, 10_000)
_RATE = forms.number(0.001, 100_000)

_TABLES: Mapping[str, tuple[type, Mapping[str, Key]]] = {
    "targets": (
        TargetsPart,
        {
            "lists": Key(forms.list_of(forms.name)),
            "files": Key(forms.list_of(forms.text)),
            "names": Key(forms.list_of(forms.text)),
            "sample": Key(forms.whole(1, 10_000_000)),
            "sensitive": Key(forms.flag),
        },
    ),
    "controls": (
        ControlsPart,
        {
            "names": Key(forms.list_of(forms.text)),
            "every": Key(forms.whole(0, 100_000)),
            "file": Key(forms.text),
        },
    ),
    "rounds": (
        RoundsPart,
        {
            "count": Key(forms.whole(1, 100_000)),
            "every": Key(forms.span),
            "start": Key(forms.moment),
            "jitter": Key(forms.span),
        },
    ),
    "limits": (
        LimitsPart,
        {
            "concurrency": Key(_SMALL),
            "rate": Key(_RATE),
            "vantage_concurrency": Key(_SMALL),
            "vantage_rate": Key(_RATE),
            "endpoint_gap": Key(forms.span),
            "endpoint_concurrency": Key(forms.whole(1, 100)),
            "network_concurrency": Key(_SMALL),
            "timeout": Key(forms.span),
            "attempts": Key(forms.whole(1, 10)),
        },
    ),
    "collect": (
        CollectPart,
        {
            "follow_ups": Key(forms.flag),
            "profile": Key(forms.one_of(*sorted(PROFILES))),
            "families": Key(forms.list_of(forms.whole(4, 6), least=1)),
            "doh": Key(forms.flag),
            "max_addresses": Key(forms.whole(1, 16)),
        },
    ),
    "stop": (
        StopPart,
        {"vantage_failures": Key(_SMALL), "findings": Key(_SMALL)},
    ),
    "hooks": (
        HooksPart,
        {
            "on_finding": Key(forms.list_of(forms.text)),
            "webhook": Key(forms.text),
            "after": Key(forms.whole(1, 1000)),
        },
    ),
}
_CAMPAIGN: Mapping[str, Key] = {
    "name": Key(forms.name, is_required=True),
    "contact": Key(forms.text, is_required=True),
    "seed": Key(forms.whole(0, (1 << 63) - 1), default=0),
    "description": Key(forms.text, default=""),
}
_VANTAGE: Mapping[str, Key] = {
    "name": Key(forms.name, is_required=True),
    "uri": Key(forms.text),
    "asn": Key(forms.text),
    "cc": Key(forms.text),
    "concurrency": Key(_SMALL),
    "rate": Key(_RATE),
    "key": Key(forms.public_key),
}


def parse_campaign(octets: bytes, *, name: str) -> CampaignFile:
    """The campaign in a file called `name`; raises CampaignFileError with every mistake."""
    mistakes: list[Mistake] = []
    text = _decoded(octets, mistakes)
    try:
        document = tomllib.loads(text) if text is not None else {}
    except tomllib.TOMLDecodeError as exc:
        raise CampaignFileError(name, (_syntax(exc),)) from None
    if mistakes:
        raise CampaignFileError(name, tuple(mistakes))
    reading = _Reading(document, places(text or ""))
    campaign = reading.campaign(sha256(octets).hexdigest())
    if campaign is None:
        raise CampaignFileError(name, tuple(sorted(reading.mistakes, key=lambda each: each.line)))
    return campaign


def _decoded(octets: bytes, mistakes: list[Mistake]) -> str | None:
    if len(octets) > MAX_FILE:
        mistakes.append(
            Mistake(1, "", Wording("the file is larger than {max_file} MiB", max_file=MAX_FILE >> 20))
        )
        return None
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        mistakes.append(Mistake(octets[: exc.start].count(b"\n") + 1, "", "not UTF-8"))
        return None


def _syntax(error: tomllib.TOMLDecodeError) -> Mistake:
    """The standard library tells line and column in the text of its message."""
    what, _, place = str(error).partition(" (at ")
    digits = "".join(filter(str.isdigit, place.partition(",")[0]))
    return Mistake(int(digits) if digits else 1, "", f"no TOML: {what}")


class _Reading:
    """Reads a document and gathers what is wrong in it."""

    def __init__(self, document: Mapping[str, Any], lines: Mapping[Path, int]) -> None:
        self._document = document
        self._lines = lines
        self.mistakes: list[Mistake] = []

    def campaign(self, digest: str) -> CampaignFile | None:
        """The campaign, or None if there are mistakes."""
        self._unknown(self._document, {"campaign", "vantages", *_TABLES}, ())
        head = self._table("campaign", _CAMPAIGN, dict)
        parts = {each: self._table(each, keys, kind) for each, (kind, keys) in _TABLES.items()}
        vantages = tuple(self._vantages())
        self._across(parts, vantages)
        if self.mistakes:
            return None
        return CampaignFile(digest=digest, vantages=vantages, **head, **parts)

    def _table(self, table: str, keys: Mapping[str, Key], kind: type) -> Any:
        given = self._document.get(table, {})
        if not isinstance(given, Mapping):
            self._mistake((table,), Wording("must be a table, [{table}]", table=table))
            return kind()
        return self._values(given, keys, kind, (table,))

    def _values(self, given: Mapping[str, Any], keys: Mapping[str, Key], kind: type, path: Path) -> Any:
        self._unknown(given, set(keys), path)
        read: dict[str, Any] = {each: key.default for each, key in keys.items() if kind is dict}
        for each, key in keys.items():
            if each not in given:
                if key.is_required:
                    self._mistake(path, Wording("{each} is missing", each=each))
                    read[each] = ""
                continue
            try:
                read[each] = key.reader(given[each])
            except FormError as exc:
                self._mistake((*path, each), str(exc))
        required = {each.name: "" for each in fields(kind) if each.name == "name"} if kind is not dict else {}
        return kind(**(required | read))

    def _vantages(self) -> Iterator[VantagePart]:
        given = self._document.get("vantages", [{"name": "here"}])
        if not isinstance(given, list) or not given or not all(isinstance(each, Mapping) for each in given):
            self._mistake(("vantages",), Wording("must be tables, [[vantages]]"))
            return
        seen: set[str] = set()
        for index, each in enumerate(given):
            part = self._values(each, _VANTAGE, VantagePart, ("vantages", index))
            if part.name in seen:
                self._mistake(
                    ("vantages", index, "name"), Wording("{name} stands there twice", name=part.name)
                )
            seen.add(part.name)
            yield part

    def _across(self, parts: Mapping[str, Any], vantages: tuple[VantagePart, ...]) -> None:
        """What no key tells by itself."""
        targets = parts["targets"]
        if not (targets.lists or targets.files or targets.names):
            self._mistake(("targets",), Wording("names no targets: give lists, files or names"))
        limits = parts["limits"]
        if limits.vantage_concurrency > limits.concurrency:
            self._mistake(
                ("limits", "vantage_concurrency"), Wording("is above concurrency, which holds for all")
            )
        if not set(parts["collect"].families) <= {4, 6}:
            self._mistake(("collect", "families"), Wording("may hold 4 and 6"))
        rounds = parts["rounds"]
        if rounds.count > 1 and rounds.jitter >= rounds.every:
            self._mistake(("rounds", "jitter"), Wording("must be shorter than every"))
        if len(vantages) > 1000:
            self._mistake(("vantages",), Wording("are more than 1000"))

    def _unknown(self, given: Mapping[str, Any], known: set[str], path: Path) -> None:
        for key in given:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1)
                advice = (
                    Wording("; did you mean {near}?", near=near[0])
                    if near
                    else Wording("; known are {known}", known=", ".join(sorted(known)))
                )
                self._mistake((*path, key), Wording("no such key{advice}", advice=advice))

    def _mistake(self, path: Path, what: str) -> None:
        shown = ".".join(str(part) if isinstance(part, str) else f"[{part + 1}]" for part in path)
        self.mistakes.append(Mistake(line_of(path, self._lines), shown.replace(".[", "["), what))
