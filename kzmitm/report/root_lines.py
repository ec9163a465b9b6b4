"""What stands in the trust stores, for people: the answer first, then what is worth knowing, worst first."""

from collections.abc import Iterator, Mapping

from kzmitm.pki.root_class import RootClass
from kzmitm.report.language import N_, Words, _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.removal import AFTERWARDS, removal_steps
from kzmitm.report.root_limits import limit_text
from kzmitm.report.safe import harmless
from kzmitm.roots.examination import Examination, ExaminedRoot, Placed
from kzmitm.roots.values import Origin, Trust

WORDS: Mapping[RootClass, str] = Words(
    {
        RootClass.STATE_INTERCEPTION: N_("STATE INTERCEPTION"),
        RootClass.LEAKED_KEY: N_("LEAKED KEY"),
        RootClass.INTERCEPTION_NAME_ONLY: N_("NAME ONLY"),
        RootClass.INCIDENT: N_("INCIDENT"),
        RootClass.STATE_PKI: N_("E-SIGNATURE"),
        RootClass.OTHER_STATE_PKI: N_("STATE"),
        RootClass.PRODUCT: N_("PRODUCT"),
        RootClass.UNKNOWN_LOCAL: N_("UNKNOWN"),
        RootClass.FORMERLY_PUBLIC: N_("FORMERLY PUBLIC"),
        RootClass.PUBLIC: N_("PUBLIC"),
    }
)
MEANINGS: Mapping[RootClass, str] = Words(
    {
        RootClass.STATE_INTERCEPTION: N_(
            "made to read other people's connections; whoever trusts it can be read along"
        ),
        RootClass.LEAKED_KEY: N_("anybody can have its private key, and read along with whoever trusts it"),
        RootClass.INTERCEPTION_NAME_ONLY: N_(
            "has the name of an interception root and another key; names can be forged, so this "
            "proves nothing"
        ),
        RootClass.INCIDENT: N_("of an authority that was misused once"),
        RootClass.STATE_PKI: N_(
            "e-government signatures, needed by NCALayer; not the interception root, but a state's authority "
            "that is able to vouch for any site"
        ),
        RootClass.OTHER_STATE_PKI: N_("a state's authority that is able to vouch for any site"),
        RootClass.PRODUCT: N_(
            "an antivirus, a filter, a proxy or a developer's tool, which reads connections here"
        ),
        RootClass.UNKNOWN_LOCAL: N_("added by you, your employer, a program or somebody else"),
        RootClass.FORMERLY_PUBLIC: N_("carried by a public programme once, and by none now"),
        RootClass.PUBLIC: N_("carried by public programmes"),
    }
)
IN_A_FILE: Mapping[RootClass, str] = Words(
    {
        RootClass.PRODUCT: N_(
            "of an antivirus, a filter, a proxy or a developer's tool, which reads connections where it is "
            "installed"
        ),
        RootClass.UNKNOWN_LOCAL: N_("in no public programme, now or ever; whose it is, is not known here"),
    }
)
"""The meanings that are others as long as nobody has installed it."""
NAME_ONLY = N_("has this name, and a key that is not known; names can be forged, so it may be anybody's")
STYLES: Mapping[RootClass, Style] = {
    RootClass.STATE_INTERCEPTION: Style.ALARM,
    RootClass.LEAKED_KEY: Style.ALARM,
    RootClass.INTERCEPTION_NAME_ONLY: Style.WARNING,
    RootClass.INCIDENT: Style.WARNING,
    RootClass.PRODUCT: Style.WARNING,
    RootClass.UNKNOWN_LOCAL: Style.WARNING,
}
TRUSTS: Mapping[Trust, str] = Words(
    {
        Trust.TRUSTED: N_("trusted by"),
        Trust.DISTRUSTED: N_("blocked by"),
        Trust.PRESENT: N_("kept, but not trusted for sites, by"),
    }
)
ORIGINS: Mapping[Origin, str] = Words(
    {
        Origin.VENDOR: N_("came with it"),
        Origin.ADMIN: N_("put there by an administrator"),
        Origin.USER: N_("put there by the user or a program of the user"),
        Origin.POLICY: N_("put there by an organisation's rules"),
        Origin.ENVIRONMENT: N_("a variable or setting points at it"),
        Origin.UNKNOWN: N_("nobody knows who put it there"),
    }
)
QUIET = frozenset({RootClass.PUBLIC, RootClass.FORMERLY_PUBLIC})
"""Classes that are counted only."""
IMPORTING = "firefox_enterprise_roots"
"""The kind of store that has no roots of its own, and takes over those of the system."""
MAX_PLACES = 12
"""Places of one root that are told; `--json` tells all."""


def answer(found: Examination) -> Line:
    """The one line that says whether something is wrong."""
    own = [reading for reading in found.readings if reading.store.kind != IMPORTING]
    alarms, stores = found.alarms, len(own) - len(found.problems)
    if alarms:
        names = ", ".join(_name(root) for root in alarms[:3])
        return Line(
            _("this computer trusts {names}").format(names=names), lead=_("DANGER: "), style=Style.ALARM
        )
    if not stores:
        return Line(_("no store of roots could be read"), lead=_("UNKNOWN: "), style=Style.WARNING)
    text = ngettext(
        "no interception root is trusted; {stores} store with {roots} different roots was read",
        "no interception root is trusted; {stores} stores with {roots} different roots were read",
        stores,
    ).format(stores=stores, roots=len(found.roots))
    if found.problems:
        more = _("{count} could not be, so this is not the whole answer").format(count=len(found.problems))
        return Line(f"{text}; {more}", lead=_("NOT FOUND: "), style=Style.WARNING)
    return Line(text, lead=_("GOOD: "), style=Style.GOOD)


def lines(found: Examination, *, everything: bool = False) -> Iterator[Line]:
    """The answer, the findings, the stores that could not be read, and counts of what is quiet."""
    yield answer(found)
    for root in found.roots:
        if everything or root.finding.root_class not in QUIET:
            yield Line()
            yield from root_lines(root)
    yield from _importing(found)
    if found.problems:
        yield Line()
        yield Line(lead=_("Not read, or not to the end:"), style=Style.HEADING)
        for reading in found.problems:
            where = harmless(reading.store.path, 300)
            yield Line(
                f"  {harmless(reading.store.application, 80)}: {where}: {harmless(reading.problem, 200)}",
                indent=4,
            )
    counts = found.counts()
    yield Line()
    yield Line(
        _(
            "{public} public roots and {former} formerly public ones are as they should be, and not listed"
        ).format(public=counts.get(RootClass.PUBLIC, 0), former=counts.get(RootClass.FORMERLY_PUBLIC, 0))
    )


def _importing(found: Examination) -> Iterator[Line]:
    """Programs that trust what the system trusts, beside their own roots."""
    programs = [
        f"{harmless(store.application, 80)}" + (f" ({harmless(store.profile, 80)})" if store.profile else "")
        for store in (reading.store for reading in found.readings)
        if store.kind == IMPORTING
    ]
    if programs:
        yield Line()
        text = _("{programs} also trust the roots that were added to this system")
        yield Line(text.format(programs=", ".join(dict.fromkeys(programs))))


def what_it_is(root: ExaminedRoot, *, is_installed: bool = True) -> Iterator[Line]:
    """One root, wherever it is kept: in a store, or in a file that may never get there."""
    finding = root.finding
    style = STYLES.get(finding.root_class, Style.PLAIN)
    if finding.is_alarm and root.trust is Trust.DISTRUSTED:
        style = Style.GOOD
    yield Line(f"  {_name(root)}", lead=WORDS[finding.root_class], style=style)
    if finding.match == "name" and finding.root_class is not RootClass.INTERCEPTION_NAME_ONLY:
        yield Line(f"  {_(NAME_ONLY)}", indent=2)
    else:
        meanings = MEANINGS if is_installed or finding.root_class not in IN_A_FILE else IN_A_FILE
        yield Line(f"  {meanings[finding.root_class]}", indent=2)


def root_lines(root: ExaminedRoot) -> Iterator[Line]:
    """One root: what it is, where it is, and how it goes away if it should."""
    finding = root.finding
    yield from what_it_is(root)
    if root.trust is Trust.DISTRUSTED:
        yield Line(_("  it is blocked here, which is good: chains with it are refused"), indent=2)
    # A file of an administrator's is a place of its own, and part of what the system made of it.
    places = list(dict.fromkeys(map(_place_line, root.places)))
    yield from places[:MAX_PLACES]
    if len(places) > MAX_PLACES:
        yield Line(
            ngettext(
                "  and in {count} more place", "  and in {count} more places", len(places) - MAX_PLACES
            ).format(count=len(places) - MAX_PLACES),
            indent=2,
        )
    for code in finding.constraints:
        yield Line(f"  {limit_text(code)}", indent=2)
    yield Line(
        f"  {harmless(str(root.certificate.subject), 300)}; SHA-256 {root.certificate.sha256}", indent=2
    )
    if root.is_alarm:
        yield from _steps(root)


def _place_line(place: Placed) -> Line:
    store, kept = place.store, place.root
    which = f" ({harmless(store.profile, 80)})" if store.profile else ""
    where = f"{harmless(store.application, 80)}{which}: {harmless(kept.place or store.path, 300)}"
    parts = [f"  {TRUSTS[kept.trust]} {where}", ORIGINS[kept.origin]]
    if kept.added_at is not None:
        parts.append(_("on {day}").format(day=f"{kept.added_at:%Y-%m-%d}"))
    if kept.names:
        told = ", ".join(harmless(name, 80) for name in kept.names[:8])
        parts.append(_("only for {names}").format(names=told))
    if kept.purposes is not None:
        told = ", ".join(sorted(kept.purposes)) or _("nothing")
        parts.append(_("for {purposes}").format(purposes=told))
    return Line("; ".join(parts), indent=4)


def _steps(root: ExaminedRoot) -> Iterator[Line]:
    yield Line(_("  To remove it (kzmitm removes nothing itself):"), indent=2)
    told: list[str] = []
    for place in root.places:
        if place.root.trust is Trust.TRUSTED:
            told += removal_steps(
                place.store.kind,
                application=harmless(place.store.application, 80),
                path=harmless(place.store.path, 300),
                place=harmless(place.root.place, 300),
                label=harmless(place.root.label, 80),
            )
    for number, step in enumerate(dict.fromkeys([*told, _(AFTERWARDS)]), 1):
        yield Line(f"    {number}. {step}", indent=7)


def _name(root: ExaminedRoot) -> str:
    """What the registry calls it, else what it calls itself."""
    authority = root.finding.authority
    if authority is not None:
        return f"{harmless(authority.name, 120)}" + (f" ({authority.country})" if authority.country else "")
    subject = root.certificate.subject
    return harmless(
        subject.common_name or subject.organization or str(subject) or root.certificate.sha256[:16], 120
    )
