"""A measurement from outside in words: one line for each server that shows something, and one a network."""

from collections.abc import Iterator, Sequence

from kzmitm.model.reflection import Fitness, NameOutcome, NetworkSummary, ReflectorResult
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

MAX_NAMES = 8
"""Names that a line has room for."""

FITNESS = {
    Fitness.FIT: N_("fit"),
    Fitness.NOT_FOUND: N_("has no address"),
    Fitness.NO_ANSWER: N_("showed no certificate for its own name"),
    Fitness.NOT_VALID: N_("its own certificate is not publicly valid, so it cannot tell"),
    Fitness.LOST: N_("answered no more"),
    Fitness.NOT_ASKED: N_("was not asked"),
}


def reflector_line(result: ReflectorResult) -> Line:
    """What one server showed."""
    server = harmless(str(result.reflector))
    where = f" (AS{result.reflector.asn})" if result.reflector.asn else ""
    forged = [each for each in result.names if each.outcome is NameOutcome.FORGED]
    blocked = [each for each in result.names if each.outcome is NameOutcome.BLOCKED]
    if forged:
        names = _listed([each.sni for each in forged])
        whose = sorted({each.authority for each in forged if each.authority})
        by = _(", by {authorities}").format(authorities=", ".join(map(harmless, whose))) if whose else ""
        return Line(f"  {server}{where}: {names}{by}", lead=_("FORGED"), style=Style.ALARM)
    if result.fitness is not Fitness.FIT:
        return Line(f"  {server}{where}: {_(FITNESS[result.fitness])}", lead=_("not used"))
    if blocked:
        names = _listed([each.sni for each in blocked])
        return Line(f"  {server}{where}: {names}", lead=_("BLOCKED"), style=Style.WARNING)
    return Line(f"  {server}{where}", lead=_("unaffected"), style=Style.GOOD)


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(map(harmless, names[:MAX_NAMES]))
    more = len(names) - MAX_NAMES
    return shown if more <= 0 else _("{names} and {count} more").format(names=shown, count=more)


def network_lines(networks: Sequence[NetworkSummary]) -> Iterator[Line]:
    """What the servers of each network say together."""
    yield Line(lead=_("By network:"), style=Style.HEADING)
    for each in networks:
        name = harmless(each.name) if each.name else ""
        number = f"AS{each.asn}" if each.asn else _("network not given")
        who = f"{number} {name}".strip()
        servers = ngettext("{count} server", "{count} servers", each.reflectors).format(count=each.reflectors)
        told = _("{servers}, {fit} fit, {intercepted} with forgeries, {blocked} with names cut off")
        told = told.format(servers=servers, fit=each.fit, intercepted=each.intercepted, blocked=each.blocked)
        yield Line(f"  {who}: {told}", indent=4, style=Style.PLAIN)
        if each.forged_names:
            names = _listed([f"{name} ({count})" for name, count in each.forged_names])
            yield Line(_("    forged: {names}").format(names=names), indent=6)
