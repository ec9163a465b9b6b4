"""A campaign as one TOML file: who is asked what, from where, how often, how gently, and what is kept.

Everything that is wrong in a file is found at once, each mistake with its line. Examples: examples/*.toml.
"""

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from typing import Any

from kzmitm.campaign.checks import contradictions
from kzmitm.campaign.file_keys import CAMPAIGN, TABLES, VANTAGE
from kzmitm.campaign.forms import FormError, Key
from kzmitm.campaign.places import Path, line_of, places
from kzmitm.campaign.sections import CampaignFile, VantagePart
from kzmitm.errors import UsageError
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


def parse_campaign(octets: bytes, *, name: str) -> CampaignFile:
    """The campaign in a file called `name`; raises CampaignFileError with every mistake."""
    mistakes: list[Mistake] = []
    text = _decoded(octets, mistakes)
    try:
        document = tomllib.loads(text) if text is not None else {}
    except tomllib.TOMLDecodeError as exc:
        raise CampaignFileError(name, (_syntax(exc, text or ""),)) from None
    except (RecursionError, ValueError) as exc:  # for which the standard library has no place
        what = Wording("nested too deeply") if isinstance(exc, RecursionError) else str(exc).partition(":")[0]
        mistake = Mistake(1, "", Wording("no TOML: {what}; {remedy}", what=what, remedy=_SEE))
        raise CampaignFileError(name, (mistake,)) from None
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
        mistakes.append(Mistake(octets[: exc.start].count(b"\n") + 1, "", Wording("not UTF-8")))
        return None


_SEE = Wording("see examples/*.toml")
_REMEDIES: Mapping[str, str] = {
    "Cannot overwrite": Wording("it stands there twice, or is of another kind; leave one of them out"),
    "Cannot declare": Wording("it stands there twice; leave one of them out"),
    "Cannot redefine": Wording("it stands there twice; leave one of them out"),
    "Illegal character": Wording("a text ends on its line with the quote that it began with"),
    "Unterminated string": Wording("a text ends with the quotes that it began with"),
    "Invalid value": Wording(
        'a text stands in quotes, as "this", a list ends with ], true and false are small'
    ),
    "Expected '='": Wording("write KEY = VALUE"),
    "Unclosed array": Wording("a list ends with ]"),
}
"""What to do, by how the standard library's complaints begin."""


def _syntax(error: tomllib.TOMLDecodeError, text: str) -> Mistake:
    """The standard library tells line and column in the text of its message."""
    what, _, place = str(error).partition(" (at ")
    digits = "".join(filter(str.isdigit, place.partition(",")[0]))
    line = int(digits) if digits else max(1, len(text.splitlines()))  # else "at end of document"
    remedy = next((each for begin, each in _REMEDIES.items() if what.startswith(begin)), _SEE)
    return Mistake(line, "", Wording("no TOML: {what}; {remedy}", what=what, remedy=remedy))


class _Reading:
    """Reads a document and gathers what is wrong in it."""

    def __init__(self, document: Mapping[str, Any], lines: Mapping[Path, int]) -> None:
        self._document = document
        self._lines = lines
        self.mistakes: list[Mistake] = []

    def campaign(self, digest: str) -> CampaignFile | None:
        """The campaign, or None if there are mistakes."""
        self._unknown(self._document, {"campaign", "vantages", *TABLES}, ())
        head = self._table("campaign", CAMPAIGN, dict)
        parts = {each: self._table(each, keys, kind) for each, (kind, keys) in TABLES.items()}
        vantages = tuple(self._vantages())
        if "vantage_concurrency" not in self._document.get("limits", {}):
            most = parts["limits"].concurrency
            parts["limits"] = replace(
                parts["limits"], vantage_concurrency=min(most, parts["limits"].vantage_concurrency)
            )
        wrong = {each.key.partition(".")[0].partition("[")[0] for each in self.mistakes}
        for path, what in contradictions(parts, vantages):
            if path[0] not in wrong:  # what is not there as it was meant contradicts nothing
                self._mistake(path, what)
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
                    self._mistake(path, Wording('{each} is missing; add {each} = "…"', each=each))
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
            self._mistake(("vantages",), Wording("must be tables, each begun by [[vantages]]"))
            return
        seen: set[str] = set()
        for index, each in enumerate(given):
            part = self._values(each, VANTAGE, VantagePart, ("vantages", index))
            if part.name in seen:
                self._mistake(
                    ("vantages", index, "name"),
                    Wording("{name} stands there twice; give it another name", name=part.name),
                )
            seen.add(part.name)
            yield part

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
        self.mistakes.append(mistake_at(path, what, self._lines))


def mistake_at(path: Path, what: str, lines: Mapping[Path, int]) -> Mistake:
    """What is wrong at a key, given the lines of all keys."""
    shown = ".".join(str(part) if isinstance(part, str) else f"[{part + 1}]" for part in path)
    return Mistake(line_of(path, lines), shown.replace(".[", "["), what)
