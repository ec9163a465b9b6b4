"""A matrix as a table for people, and its conclusions in words, each with the rows that prove it."""

from collections.abc import Iterator, Sequence

from kzmitm.model.matrix import (
    NOT_TOLD,
    AnswerKind,
    AskedName,
    Carrier,
    CellResult,
    CellState,
    Conclusion,
    Destination,
    HelloManner,
)
from kzmitm.report.language import N_, _, ngettext
from kzmitm.report.line import Line, Style
from kzmitm.report.safe import harmless

MAX_NAMES = 3
"""Names of a certificate that a line has room for."""

NAMES = {
    AskedName.WATCHED: N_("watched name"),
    AskedName.OTHER_WATCHED: N_("another watched name"),
    AskedName.BENIGN: N_("benign name"),
    AskedName.NONSENSE: N_("nonsense name"),
    AskedName.NONE: N_("no name"),
    AskedName.UPPER_CASE: N_("name in capitals"),
    AskedName.DOT: N_("name with a final dot"),
    AskedName.REFLECTOR: N_("the reflector's own name"),
}
DESTINATIONS = {
    Destination.OWN: N_("its own address"),
    Destination.OTHER_WATCHED: N_("another watched site's"),
    Destination.REFLECTOR: N_("the reflector's"),
    Destination.NOBODY: N_("nobody's (TEST-NET)"),
}
HELLOS = {
    HelloManner.SMALL: N_("small"),
    HelloManner.BROWSER: N_("as a browser's"),
    HelloManner.SEGMENTS: N_("over segments"),
    HelloManner.RECORDS: N_("over records"),
    HelloManner.TLS12: N_("TLS 1.2 only"),
    HelloManner.ECH: N_("with ECH"),
}
CARRIERS = {
    Carrier.TCP: N_("TCP"),
    Carrier.OTHER_PORT: N_("another port"),
    Carrier.QUIC: N_("QUIC"),
    Carrier.IPV6: N_("IPv6"),
}
STATES = {
    CellState.FORGED: N_("FORGED"),
    CellState.PASSED: N_("genuine"),
    CellState.OTHER: N_("unvouched"),
    CellState.FAILED: N_("failed"),
    CellState.MIXED: N_("not always the same"),
    CellState.NOT_TOLD: N_("not told"),
}
KINDS = {
    AnswerKind.CERTIFICATE: N_("a certificate"),
    AnswerKind.ALERT: N_("an alert"),
    AnswerKind.RESET: N_("a reset"),
    AnswerKind.CLOSED: N_("closed without a word"),
    AnswerKind.SILENCE: N_("silence after the hello"),
    AnswerKind.NOT_TLS: N_("something that is not TLS"),
    AnswerKind.NO_CONNECTION: N_("no connection"),
    AnswerKind.FAULT: N_("a fault on our side"),
}
SUBJECTS = {
    "trigger": N_("What sets it off"),
    "destination": N_("Where it acts"),
    "direction": N_("Direction"),
    "copying": N_("Whose names the forged certificate carries"),
    "termination": N_("Who ends the TCP connection"),
    "needs_server": N_("Whether it needs the server"),
    "constancy": N_("How often"),
    "protocol": N_("HTTP/2"),
    "no_name": N_("Without a name"),
    "other_watched_name": N_("With another watched name"),
    "upper_case": N_("With the name in capitals"),
    "dot": N_("With a final dot"),
    "browser": N_("With a browser's big hello"),
    "segments": N_("Hello over several segments"),
    "records": N_("Hello over several TLS records"),
    "tls12": N_("TLS 1.2 only"),
    "ech": N_("With encrypted_client_hello"),
    "other_port": N_("On another port"),
    "quic": N_("Over QUIC"),
    "ipv6": N_("Over IPv6"),
}
VALUES = {
    NOT_TOLD: N_("not told"),
    "listed_names": N_("certain names; others pass to the same address"),
    "every_name": N_("every name that was tried"),
    "several_names": N_("more than one name; as it acts at times only, no more is told"),
    "many_names": N_("many names, and not all"),
    "address": N_("the address, whatever the name"),
    "a_name": N_("a name; without one it passes (which names, is not told)"),
    "any_address": N_("at addresses that have nothing to do with the name"),
    "own_addresses": N_("at the site's own address only"),
    "watched_addresses": N_("at the addresses of watched sites"),
    "several_addresses": N_("at more than one address"),
    "from_here": N_("connections that leave from here (the other way: kzmitm reflect)"),
    "origin_at_address": N_("those of the server at that address, not of the name asked for"),
    "origin_and_name": N_("those of the server at that address, and the name asked for"),
    "name_asked_for": N_("the name asked for and no other"),
    "site_of_the_name": N_("those of the site of the name, wherever the connection goes"),
    "neither": N_("neither those of the server nor the name asked for"),
    "from_the_first_packet": N_("the interceptor, from the first packet on, for every name"),
    "not_before_the_hello": N_("the server; the interceptor comes in when it has seen the hello"),
    "yes": N_("yes: where no server is, it does nothing"),
    "no": N_("no: it forges even where no server is"),
    "always": N_("every time it was asked"),
    "kept": N_("kept"),
    "lost": N_("lost: visitors fall back to HTTP/1.1"),
    "intercepted": N_("intercepted"),
    "passes": N_("passes untouched"),
    "sometimes": N_("sometimes intercepted"),
    "fails": N_("the connection fails"),
    "broken_for_the_name": N_("fails for the watched name, and works for a benign one"),
    "fails_for_every_name": N_("fails for a benign name too: the server's doing, or a box that breaks all"),
}


def table_lines(results: Sequence[CellResult]) -> Iterator[Line]:
    """The cells, one line each, numbered so that conclusions can refer to them."""
    rows = [
        (
            str(number),
            _(NAMES[r.cell.name]),
            _(DESTINATIONS[r.cell.destination]),
            _(HELLOS[r.cell.hello]),
            _(CARRIERS[r.cell.carrier]),
        )
        for number, r in enumerate(results, start=1)
    ]
    if not rows:
        return
    head = ("", _("name"), _("address"), _("hello"), _("carrier"))
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    yield Line(_cells(head, widths) + "  " + _("answer"), style=Style.HEADING)
    for row, result in zip(rows, results, strict=True):
        state = _(STATES[result.state])
        yield Line(f"{_cells(row, widths)}  {state}{_detail(result)}", style=Style.PLAIN)


def _cells(values: Sequence[str], widths: Sequence[int]) -> str:
    number, *rest = (value.ljust(width) for value, width in zip(values, widths, strict=True))
    return "  ".join((values[0].rjust(widths[0]), *rest)) if number else ""


def _detail(result: CellResult) -> str:
    kinds = dict.fromkeys(
        _(KINDS[reading.kind]) for reading in result.readings if reading.kind is not AnswerKind.CERTIFICATE
    )
    times = len(result.readings)
    count = " " + ngettext("{times} time", "{times} times", times).format(times=times) if times > 1 else ""
    return count + (f" ({', '.join(kinds)})" if kinds else "")


def conclusion_lines(conclusions: Sequence[Conclusion], results: Sequence[CellResult]) -> Iterator[Line]:
    """What the cells say, each with the numbers of those that prove it; what is not told in one line."""
    numbers = {result.cell: number for number, result in enumerate(results, start=1)}
    silent = []
    for conclusion in conclusions:
        subject = _(SUBJECTS[conclusion.subject])
        if conclusion.value == NOT_TOLD:
            silent.append(subject)
            continue
        proving = sorted(numbers[cell] for cell in conclusion.cells if cell in numbers)
        names = ", ".join(map(harmless, conclusion.names[:MAX_NAMES]))
        told = _(VALUES[conclusion.value]) + (f": {names}" if names else "")
        rows = ngettext(" (row {rows})", " (rows {rows})", len(proving)).format(
            rows=", ".join(map(str, proving))
        )
        yield Line(f" {told}{rows if proving else ''}", lead=f"{subject}:", indent=4)
    if silent:
        yield Line(" " + "; ".join(silent), lead=_("Not told:"), indent=4)
