"""Judge a result again, with today's rules and registry; nothing is sent."""

import argparse
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from kzmitm.cli import clock
from kzmitm.cli.judging import chain_of, judged_target, products_behind
from kzmitm.cli.outcomes import Tally
from kzmitm.cli.parser import filled, filled_path
from kzmitm.cli.sources import registry_of, store_of
from kzmitm.cli.terminal import print_json, print_lines, say
from kzmitm.errors import UsageError
from kzmitm.evidence.bundle_reader import Bundle, read_bundle
from kzmitm.evidence.control import read_control
from kzmitm.evidence.layout import Level
from kzmitm.evidence.scan_document import summary_of, target_row
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Verdict
from kzmitm.report import texts
from kzmitm.report.language import _, ngettext
from kzmitm.report.line import Line
from kzmitm.report.text import JudgedTarget, explanation_sentence, target_line
from kzmitm.verdict.engine import RULES_VERSION
from kzmitm.verdict.facts import Facts
from kzmitm.verdict.judge import Judge


def configure(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("bundle", metavar="RESULT", type=Path, help="the file or folder that a scan left")
    add(
        "--store",
        type=filled,
        metavar="FILE",
        help="trust the roots in this PEM file instead of the pinned ones",
    )
    add("--fingerprints", metavar="DIR", type=filled_path, action="append", default=[],
        help="lay the files of DIR over our registry; may be repeated")  # fmt: skip
    add(
        "--control",
        metavar="FILE",
        type=filled_path,
        help="what a clean place saw (made by scan --record-control)",
    )
    add(
        "--now",
        type=filled,
        metavar="TIME",
        help="judge at this time (ISO 8601); default: when each was measured",
    )
    add("--json", action="store_true", help="one JSON document (kzmitm.scan/1.0, with `before`) on stdout")
    parser.epilog = "The exit code is that of the new verdicts: 1 interception, 3 inconclusive, else 0."


@dataclass(slots=True)
class _Again:
    """A target judged again; `before` is None where the bundle holds no verdict (a scan that was killed)."""

    judged: JudgedTarget
    before: Verdict | None
    row: dict[str, Any] | None

    @property
    def is_changed(self) -> bool:
        return self.before is None or _gist(self.before) != _gist(self.judged.verdict)


_Before = defaultdict[tuple[str, str, str], deque[Verdict]]


def run(args: argparse.Namespace) -> int:
    now = clock.parse_time(args.now) if args.now else None
    judge = Judge(
        registry=registry_of(args.fingerprints),
        store=store_of(args.store),
        control=read_control(args.control) if args.control else None,
    )
    with read_bundle(args.bundle) as bundle:
        _demand_measurements(bundle)
        _say_what_differs(bundle, judge)
        before = _verdicts_before(bundle)
        known = sum(map(len, before.values()))
        again = _judge_all(bundle, judge, now, before, with_rows=args.json)
    missing = sum(map(len, before.values()))
    _say_what_is_missing(missing, known)
    tally = Tally()
    for each in again:
        tally.add(each.judged)
    if args.json:
        print_json(_document(bundle, judge, again, tally, args.bundle))
    else:
        print_lines(_text(again, tally))
    return tally.exit_code(complete=bundle.complete and not missing)


def _demand_measurements(bundle: Bundle) -> None:
    if bundle.level is Level.PUBLIC:
        raise UsageError(
            _("{path}: the measurements were withheld, so nothing can be judged again").format(
                path=bundle.path
            ),
            hint=_("ask for the partner level"),
        )


def _judge_all(
    bundle: Bundle, judge: Judge, now: datetime | None, before: _Before, *, with_rows: bool
) -> list[_Again]:
    """Every measurement judged again; what `before` still holds afterwards has none."""
    again: list[_Again] = []
    places: dict[int, int] = {}  # by identity: the judge keeps those alive that it may settle
    for measurement in bundle.measurements():
        facts = judge.facts(measurement, now or measurement.started_at)
        verdict = judge.verdict_of(facts)
        earlier = before[_key(measurement)]
        places[id(measurement)] = len(again)
        known = earlier.popleft() if earlier else None
        again.append(_told(judge, facts, verdict, known, with_row=with_rows))
    for settled in judge.settle():
        place = places[id(settled.facts.measurement)]
        known = again[place].before
        again[place] = _told(judge, settled.facts, settled.verdict, known, with_row=with_rows)
    return again


def _verdicts_before(bundle: Bundle) -> _Before:
    """The verdicts of the bundle by target: one that was scanned twice has two, in order."""
    before: _Before = defaultdict(deque)
    for row, verdict in bundle.verdicts():
        before[str(row.get("hostname")), str(row.get("port")), str(row.get("sni"))].append(verdict)
    return before


def _key(measurement: Measurement) -> tuple[str, str, str]:
    target = measurement.target
    return target.hostname, str(target.port), str(target.sni)


def _told(judge: Judge, facts: Facts, verdict: Verdict, before: Verdict | None, *, with_row: bool) -> _Again:
    measurement, about = facts.measurement, judge.deciding(facts)
    chain = chain_of(about)
    judged = judged_target(measurement, verdict, about)
    if not with_row:
        return _Again(judged, before, None)
    row = target_row(
        measurement,
        verdict,
        certificates=chain,
        explanation=explanation_sentence(judged),
        products=products_behind(measurement, verdict, chain, judge.registry),
    )
    told = {"outcome": before.outcome, "confidence": before.confidence} if before else None
    return _Again(judged, before, row | {"before": told})


def _gist(verdict: Verdict) -> tuple[object, ...]:
    """What makes a verdict another one; reasons may grow without that."""
    return verdict.outcome, verdict.confidence, verdict.scope, verdict.authority and verdict.authority.id


def _say_what_differs(bundle: Bundle, judge: Judge) -> None:
    """Another store or registry than the scan's explains more changes than the rules do."""
    document = bundle.document
    for name, then, today, advice in (
        (_("store"), document["store"].get("sha256"), judge.store.sha256, "--store"),
        (_("registry"), document["registry"].get("version"), judge.registry.version, "--fingerprints"),
    ):
        if then != today:
            say(
                _("another {name} than the scan's is used ({option} gives it back)").format(
                    name=name, option=advice
                )
            )


def _say_what_is_missing(missing: int, known: int) -> None:
    if missing:
        what = _("its measurement is missing") if missing == 1 else _("their measurements are missing")
        say(
            ngettext(
                "{missing} of {known} target could not be judged again: {what}",
                "{missing} of {known} targets could not be judged again: {what}",
                known,
            ).format(missing=missing, known=known, what=what)
        )


def _text(again: Sequence[_Again], tally: Tally) -> Iterator[Line]:
    changed = 0
    for each in again:
        line = target_line(each.judged)
        if each.is_changed:
            changed += 1
            was = texts.WORDS[each.before.outcome] if each.before else _("not judged")
            line = replace(line, text=f"{line.text}  ({_('before')}: {was}{_sure(each.before)})")
        yield line
    yield from tally.closing_lines()
    yield Line(
        ngettext(
            "{changed} of {total} verdict changed", "{changed} of {total} verdicts changed", len(again)
        ).format(changed=changed, total=len(again))
    )


def _sure(verdict: Verdict | None) -> str:
    return f", {texts.CONFIDENCES[verdict.confidence]}" if verdict and verdict.confidence else ""


def _document(
    bundle: Bundle, judge: Judge, again: Sequence[_Again], tally: Tally, path: Path
) -> dict[str, Any]:
    store = judge.store
    return bundle.document | {
        "rules_version": RULES_VERSION,
        "registry": {"version": judge.registry.version},
        "store": {"name": store.name, "version": store.version, "date": store.date, "sha256": store.sha256},
        "bundle": str(path),
        "summary": summary_of(tally.counted()),
        "targets": [each.row for each in again],
    }
