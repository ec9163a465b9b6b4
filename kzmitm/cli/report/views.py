"""From a result on the disk to what a report tells of it, at the level of the report.

What the public level lets out is decided by `kzmitm.evidence.redaction` alone, as it is when a result is
shared: rows go through it before a report sees them. Measurements are read from the partner level on.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from markupsafe import Markup

from kzmitm.cli.folders import keys_folder, known_signers_file
from kzmitm.cli.outcomes import Tally
from kzmitm.cli.report.chains import Chains
from kzmitm.cli.report.kind import Request
from kzmitm.cli.sources import registry_of, store_of
from kzmitm.cli.terminal import say
from kzmitm.cli.timestamp_roots import timestamp_roots
from kzmitm.cli.verification_views import attached_lines, problem_sentence, proof_sentence, signer_sentence
from kzmitm.evidence import layout
from kzmitm.evidence.bundle_reader import Bundle, read_bundle
from kzmitm.evidence.container import open_container
from kzmitm.evidence.control import read_control
from kzmitm.evidence.journal import BEGIN
from kzmitm.evidence.json_reader import parse_json
from kzmitm.evidence.layout import Level
from kzmitm.evidence.redaction import public_frame, public_row
from kzmitm.evidence.scan_document import row_verdict
from kzmitm.evidence.signing.keys import own_keys
from kzmitm.evidence.signing.known_signers import read_known_signers
from kzmitm.evidence.verification.verify import Trust, Verification, verify_bundle
from kzmitm.model.codec import parse_time
from kzmitm.model.measurement import Measurement
from kzmitm.model.verdict import Outcome
from kzmitm.report.document import Picture
from kzmitm.report.language import _
from kzmitm.report.path_graph import description, path_graph
from kzmitm.report.results.groups import QUIET
from kzmitm.report.results.view import Check, ReportedTarget, ResultView
from kzmitm.report.rows import judged_of_row
from kzmitm.report.safe import harmless
from kzmitm.verdict.location import locations_of

MAX_MEASUREMENTS = 2_000
"""Suspicious targets whose certificates are kept for the report; some 30 KB each."""
MAX_ENVIRONMENT = 1 << 16
_UNKNOWN_NETWORKS = frozenset({"", "AS0"})
_UNKNOWN_COUNTRIES = frozenset({"", "ZZ"})

_Key = tuple[str, str, str]
_WAYS = count(1)
"""Ids inside a picture must not meet those of another one in the same page."""


class Reader:
    """Reads results for one report; `tally` counts what they found."""

    def __init__(self, request: Request) -> None:
        """Raises UsageError for options that cannot be used."""
        options = request.options
        self._request = request
        self._control = read_control(options.control) if options.control else {}
        if options.store:
            store_of(options.store)  # a mistake is told whether or not it is needed
        if request.level is Level.PUBLIC and (options.control or options.store):
            say(_("nothing is compared in a report for the public; give --level partner"))
        self._registry = registry_of([])
        self.tally = Tally()

    def view(self, path: Path) -> ResultView:
        """What the report tells of the result at `path`; raises BundleError, UsageError."""
        is_journal = (path / BEGIN).is_file()
        check = Check(is_altered=None) if is_journal else self._check(path)
        if check.is_altered:
            return ResultView(check=check, outcomes={})
        with read_bundle(path) as bundle:
            return self._view(bundle, check)

    def _check(self, path: Path) -> Check:
        trust = Trust(
            known=read_known_signers(known_signers_file()),
            own=own_keys(keys_folder()),
            roots=lambda: timestamp_roots([]),
        )
        found = verify_bundle(path, trust=trust, now=self._request.now)
        return Check(
            is_altered=not found.is_unaltered,
            problems=tuple(problem_sentence(each) for each in found.problems),
            bundle_id=found.bundle_id if found.is_unaltered else "",
            key=found.signer.key.fingerprint if found.signer else "",
            statements=tuple(self._statements(found, trust)) if found.is_unaltered else (),
        )

    def _statements(self, found: Verification, trust: Trust) -> Iterator[str]:
        """What only this computer knows of the signer stays here; a timestamp tells the hour."""
        if self._request.level is Level.FULL and found.signer is not None:
            yield signer_sentence(found.signer)
        yield proof_sentence(found.proof)
        if self._request.level is not Level.PUBLIC:
            own = tuple(trust.own.values()) if self._request.level is Level.FULL else ()
            yield from map(str, attached_lines(found, own))

    def _view(self, bundle: Bundle, check: Check) -> ResultView:
        for_public = self._request.level is Level.PUBLIC
        is_reduced = bundle.document.get("level") == Level.PUBLIC
        if is_reduced and not for_public:
            say(_("{path}: it was reduced for the public, and so is the report").format(path=_shown(bundle)))
        reduce = for_public and not is_reduced  # what is reduced already would lose more
        frame = public_frame(bundle.document) if reduce else bundle.document
        targets, outcomes = self._targets(bundle, frame, reduce=reduce)
        vantage = frame["vantage"]
        asn, country = str(vantage.get("asn") or ""), str(vantage.get("cc") or "")
        return ResultView(
            check=check,
            targets=targets,
            outcomes=outcomes,
            week=str(frame.get("week") or ""),
            started_at=_time(frame.get("started_at")),
            finished_at=_time(frame.get("finished_at")),
            is_complete=bundle.complete,
            asn="" if asn in _UNKNOWN_NETWORKS else harmless(asn, 20),
            network=self._network(asn),
            country="" if country in _UNKNOWN_COUNTRIES else harmless(country, 8),
            computer=_computer(bundle) if self._request.level is Level.FULL else (),
            versions=tuple(_versions(frame)),
            is_reduced=for_public or is_reduced,
        )

    def _network(self, asn: str) -> str:
        digits = asn.removeprefix("AS")
        number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else 0
        network = self._registry.networks.get(number)
        return harmless(network.name) if network else ""

    def _targets(
        self, bundle: Bundle, frame: Mapping[str, Any], *, reduce: bool
    ) -> tuple[tuple[ReportedTarget, ...], Counter[Outcome]]:
        targets: list[ReportedTarget] = []
        outcomes: Counter[Outcome] = Counter()
        wanted: set[_Key] = set()
        for row, verdict in bundle.verdicts():
            self.tally.add(judged_of_row(row, verdict))
            outcomes[verdict.outcome] += 1
            told = public_row(row, bundle.document) if reduce else row
            targets.append(_target(told, frame))
            if verdict.outcome not in QUIET and len(wanted) < MAX_MEASUREMENTS:
                wanted.add(_row_key(row))
        if wanted and self._request.level is not Level.PUBLIC:
            targets = self._with_measurements(bundle, targets, wanted)
        return tuple(targets), outcomes

    def _with_measurements(
        self, bundle: Bundle, targets: list[ReportedTarget], wanted: set[_Key]
    ) -> list[ReportedTarget]:
        options = self._request.options
        chains = Chains(
            registry=self._registry,
            store=store_of(options.store),
            control=self._control,
        )
        measured: dict[_Key, deque[Measurement]] = defaultdict(deque)
        for measurement in bundle.measurements():
            if (key := _measurement_key(measurement)) in wanted:
                measured[key].append(measurement)
        return [_measured(each, measured, chains) for each in targets]


def _target(row: Mapping[str, Any], frame: Mapping[str, Any]) -> ReportedTarget:
    judged = judged_of_row(row, row_verdict(row, frame))
    handshake = row.get("handshake")
    told = handshake if isinstance(handshake, Mapping) else {}
    proven = told.get("proof_verified")
    address = row.get("address")
    return ReportedTarget(
        judged=judged,
        hostname=str(row.get("hostname")),
        sni=str(row.get("sni")),
        port=str(row.get("port")),
        address=address if isinstance(address, str) else None,
        tls=str(told.get("version") or ""),
        is_proven=proven if isinstance(proven, bool) else None,
    )


def _measured(
    target: ReportedTarget, measured: Mapping[_Key, deque[Measurement]], chains: Chains
) -> ReportedTarget:
    waiting = measured.get((target.hostname, target.port, target.sni))
    if not waiting:
        return target
    measurement = waiting.popleft()
    presented, expected = chains.of(measurement)
    return replace(
        target,
        judged=replace(target.judged, local_trust=measurement.local_trust),
        seen_at=measurement.started_at,
        presented=presented,
        expected=expected,
        location=_location(measurement),
    )


def _location(measurement: Measurement) -> Picture | None:
    """The way with the segment in which somebody acts, to the first address that was traced."""
    if not measurement.trace:
        return None
    trace, location = measurement.trace[0], locations_of(measurement)[0]
    svg = path_graph(trace, location, identity=f"way-{next(_WAYS)}")
    return Picture(
        svg=Markup(svg),  # noqa: S704 (drawn by us, its texts escaped there)
        caption=_("The way to {endpoint}").format(endpoint=trace.endpoint),
        meaning=description(trace, location),
    )


def _row_key(row: Mapping[str, Any]) -> _Key:
    return str(row.get("hostname")), str(row.get("port")), str(row.get("sni"))


def _measurement_key(measurement: Measurement) -> _Key:
    target = measurement.target
    return target.hostname, str(target.port), str(target.sni)


def _versions(frame: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    tool, store = frame.get("tool"), frame["store"]
    if isinstance(tool, Mapping):
        yield _("Program"), harmless(f"{tool.get('name', '?')} {tool.get('version', '?')}")
    yield _("Rules"), harmless(str(frame["rules_version"]))
    yield _("Registry of interceptors"), harmless(str(frame["registry"].get("version", "?")))
    about = " ".join(filter(None, (str(store.get(key, "")) for key in ("name", "version", "date"))))
    yield _("Roots that count as public"), harmless(about)


def _computer(bundle: Bundle) -> tuple[tuple[str, str], ...]:
    """The environment in a bundle of the full level; nothing where it was left out."""
    if bundle.level is not Level.FULL or (bundle.path / BEGIN).is_file():
        return ()
    with open_container(bundle.path) as container:
        if layout.ENVIRONMENT.path not in container:
            return ()
        told = parse_json(container.read(layout.ENVIRONMENT.path, max_bytes=MAX_ENVIRONMENT))
    if not isinstance(told, Mapping):
        return ()
    resolvers = told.get("resolvers")
    system = " ".join(str(told[key]) for key in ("system", "release", "machine") if told.get(key))
    named = ", ".join(map(str, resolvers)) if isinstance(resolvers, list) else ""
    facts = ((_("System"), system), (_("Python"), str(told.get("python") or "")), (_("Resolvers"), named))
    return tuple((name, harmless(said)) for name, said in facts if said)


def _time(text: Any) -> datetime | None:
    try:
        return parse_time(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _shown(bundle: Bundle) -> str:
    return harmless(str(bundle.path), 4096)
