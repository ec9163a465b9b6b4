"""Path validation: the presented chain against a store, at a time, for a name (RFC 5280, 6; RFC 9525).

Time, name and path are judged apart and every reason is kept, because a single string hides one
behind the other. Revocation is not looked at: nothing here touches a network.

Decisions that the standards leave open:

- A leaf that is itself in the store is trusted, by exact equality, as in Go: whoever put it there
  meant it.
- An anchor is its name and key. A presented copy, reissue or cross-sign of it is passed over for the
  store's own; the same name with another key is a stranger.
- Anchors are checked like other issuers (time, CA, usage, constraints, critical extensions), but for
  their signature; one of version 1 is a CA by being in the store.
- Times are compared in whole seconds (RFC 5280, 4.1.2.5), both ends included.
- RSA keys below 1,024 bits break a path, below 2,048 they are reported (as in Go and Chrome); the
  strict profile refuses both. DSA, curves below 224 bits and explicit curve parameters break it too.
- Serial numbers, however odd, break a path in the strict profile alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from kzmitm.model.certificate import Certificate
from kzmitm.pki.anatomy import Anatomy
from kzmitm.pki.cache import CertificateCache
from kzmitm.pki.checks import Rules, has_weak_key, path_faults
from kzmitm.pki.go_order import NO_CERTIFICATE, UNPARSABLE, go_verdict, is_current
from kzmitm.pki.hostnames import judge_name
from kzmitm.pki.missing import explain_absence
from kzmitm.pki.path_search import Hit, Path, Search
from kzmitm.pki.report import NameStatus, PathReport, PathStatus, Profile, Purpose, TimeStatus
from kzmitm.pki.store import TrustStore

_NAME_REASONS = {NameStatus.MISMATCH: "name_mismatch", NameStatus.NO_SAN: "no_san"}


def validate_path(  # noqa: PLR0913 - the contract of the package; all but the chain are keywords
    chain: Sequence[Certificate],
    *,
    store: TrustStore,
    hostname: str | None,
    now: datetime,
    cache: CertificateCache,
    intermediates: Sequence[Certificate] = (),
    profile: Profile = Profile.WEB,
    purpose: Purpose = Purpose.SERVER,
    max_intermediates: int | None = None,
) -> PathReport:
    """What the presented `chain` (leaf first, then anything in any order) is worth for `hostname` at `now`.

    `hostname` is a DNS name in ASCII or an IP address, None to leave names out. `now` is aware UTC.
    `intermediates` are known public ones: a path that needs them is `MISSING_INTERMEDIATE`, proven.
    `max_intermediates` limits the path (None: `MAX_PATH`); self-issued ones are not counted.
    Never raises on any certificates.
    """
    walk = walk_path(
        chain,
        store=store,
        now=now,
        cache=cache,
        intermediates=intermediates,
        rules=Rules(purpose=purpose, profile=profile, max_intermediates=max_intermediates),
    )
    return walk.report(hostname)


@dataclass(frozen=True, slots=True)
class Walk:
    """What a chain is worth at a time, whatever the name: `report` says it for a name."""

    now: datetime
    refused: PathReport | None = None
    """The report for every name, where the leaf could not be read."""
    leaf: Certificate | None = None
    topmost: Certificate | None = None
    left_out: tuple[str, ...] = ()
    finding: "_Finding | None" = None

    @property
    def status(self) -> PathStatus:
        if self.finding is not None:
            return self.finding.status
        assert self.refused is not None  # noqa: S101 - one of them is there
        return self.refused.path

    @property
    def validated_path(self) -> tuple[Certificate, ...]:
        return tuple([parts.certificate for parts in self.finding.validated]) if self.finding else ()

    def report(self, hostname: str | None) -> PathReport:
        """The report for a DNS name in ASCII or an IP address; None leaves names out."""
        finding, leaf = self.finding, self.leaf
        if finding is None or leaf is None:
            assert self.refused is not None  # noqa: S101 - one of them is there
            return self.refused
        name = judge_name(leaf, hostname)
        named = (_NAME_REASONS[name],) if name in _NAME_REASONS else ()
        weak = ("weak_key",) if any(map(has_weak_key, finding.walked)) else ()
        report = PathReport(
            time=judge_time(leaf, self.now),
            name=name,
            path=finding.status,
            reasons=tuple(dict.fromkeys((*finding.times, *named, *finding.reasons, *weak, *self.left_out))),
            validated_path=self.validated_path,
            topmost=self.topmost,
            stored=leaf,
            trusted=finding.status is PathStatus.TRUSTED and not finding.times and not named,
        )
        if report.trusted:
            return report
        failure, stored = go_verdict(report, [parts.certificate for parts in finding.walked], self.now)
        return replace(report, failure=failure, stored=stored)


def walk_path(
    chain: Sequence[Certificate],
    *,
    store: TrustStore,
    now: datetime,
    cache: CertificateCache,
    intermediates: Sequence[Certificate] = (),
    rules: Rules,
) -> Walk:
    """What of `validate_path` does not depend on the name."""
    now = now.replace(microsecond=0)
    if not chain:
        return Walk(now, _refused(PathStatus.EMPTY, "empty", None))
    leaf, presented, left_out = taken_apart(chain, cache)
    if not leaf.is_whole:
        return Walk(now, _refused(PathStatus.UNPARSABLE, "unparsable", leaf.certificate))

    def assess(path: Path) -> Hit:
        return Hit(path, path_faults(path, rules), time_reasons(path, now))

    search = Search(leaf, store, cache, assess)
    search.run(presented)
    finding = _found(search.best) or _not_found(search, presented, intermediates, rules, now)
    return Walk(now, None, leaf.certificate, search.longest[-1].certificate, left_out, finding)


@dataclass(slots=True)
class _Finding:
    """What the search came to; `walked` is the path that the reasons are about."""

    status: PathStatus
    walked: Path
    validated: Path
    reasons: tuple[str, ...]
    times: tuple[str, ...]


def _found(hit: Hit | None) -> _Finding | None:
    if hit is None:
        return None
    status = PathStatus.INVALID if hit.faults else PathStatus.TRUSTED
    return _Finding(status, hit.path, hit.path, hit.faults, hit.times)


def _not_found(
    search: Search,
    presented: Sequence[Anatomy],
    intermediates: Sequence[Certificate],
    rules: Rules,
    now: datetime,
) -> _Finding:
    absence = explain_absence(search, presented, intermediates)
    walked = search.longest
    if absence.completed is not None:
        hit = absence.completed
        return _Finding(absence.status, walked, hit.path, absence.reasons, hit.times)
    faults = path_faults(walked, rules, anchored=False)
    times = time_reasons(walked, now, anchored=False)
    return _Finding(absence.status, walked, (), (*absence.reasons, *sorted(search.notes), *faults), times)


def _refused(status: PathStatus, reason: str, leaf: Certificate | None) -> PathReport:
    return PathReport(
        time=TimeStatus.UNKNOWN,
        name=NameStatus.UNKNOWN,
        path=status,
        reasons=(reason,),
        topmost=leaf,
        stored=leaf,
        failure=NO_CERTIFICATE if leaf is None else UNPARSABLE,
    )


def taken_apart(
    chain: Sequence[Certificate], cache: CertificateCache
) -> tuple[Anatomy, list[Anatomy], tuple[str, ...]]:
    """The leaf, what was presented beside it, each once, and a reason if some of that cannot be used."""
    leaf, *others = {certificate.sha256: certificate for certificate in chain}.values()
    parts = [cache.anatomy(certificate) for certificate in others]
    usable = [each for each in parts if each.is_whole]
    return cache.anatomy(leaf), usable, () if len(usable) == len(parts) else ("unparsable_certificate",)


def judge_time(leaf: Certificate, now: datetime) -> TimeStatus:
    """The leaf's validity at `now` (in whole seconds), both ends included."""
    if leaf.not_before is None or leaf.not_after is None:
        return TimeStatus.UNKNOWN
    if now < leaf.not_before:
        return TimeStatus.NOT_YET_VALID
    return TimeStatus.EXPIRED if now > leaf.not_after else TimeStatus.VALID


_TIME_REASONS = {
    TimeStatus.EXPIRED: "expired",
    TimeStatus.NOT_YET_VALID: "not_yet_valid",
    TimeStatus.UNKNOWN: "time_unknown",
}


def time_reasons(path: Path, now: datetime, *, anchored: bool = True) -> tuple[str, ...]:
    """The codes of what is not valid now on a path, leaf first."""
    if all(is_current(parts.certificate, now) for parts in path):
        return ()
    top = len(path) - 1
    reasons = []
    for number, parts in enumerate(path):
        status = judge_time(parts.certificate, now)
        if status is not TimeStatus.VALID:
            place = "leaf" if number == 0 else "anchor" if anchored and number == top else "intermediate"
            reasons.append(f"{place}_{_TIME_REASONS[status]}")
    return tuple(dict.fromkeys(reasons))
