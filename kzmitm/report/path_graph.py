"""The path of a trace as a picture: a self-contained SVG that can stand in a page or a file of its own.

Colours are those of the page in light and in dark (`currentColor`, and two marks that read on both). What
the picture shows, its title and description say in words, for those who hear it (SVG 2, 5.8; WAI-ARIA).
"""

from collections.abc import Iterator
from html import escape

from kzmitm.model.location import LOCATED, Location
from kzmitm.model.trace import FULL_TTL, TraceObservation, WalkKind
from kzmitm.report.language import _
from kzmitm.report.safe import harmless
from kzmitm.report.trace import addresses_at, distances, finding_text, place_text, shown_answer

MAX_HOPS = 40
"""Hops that are drawn; no path of the Internet has more."""
MAX_NAME = 40
"""Characters of one label."""
_STEP = 84
_TOP = 60
_ROW = 22
_WIDTH = 640
_KINDS = (WalkKind.SYN, WalkKind.HELLO_CONTROL, WalkKind.HELLO_WATCHED)

_OPENING = (
    '<svg xmlns="http://www.w3.org/2000/svg" class="kz-path" role="img" viewBox="0 0 {width} {height}" '
    'width="{width}" height="{height}" aria-labelledby="{id}-title {id}-desc">'
)
_STYLE = """
.kz-path{font:13px system-ui,sans-serif;color:#1b1b1b;background:transparent}
.kz-path text{fill:currentColor}
.kz-path .wire{stroke:currentColor;stroke-width:2;fill:none}
.kz-path .node{stroke:currentColor;stroke-width:2;fill:none}
.kz-path .small{font-size:11px;opacity:.85}
.kz-path .mark{stroke:#c62828;stroke-width:5;fill:none}
.kz-path .marked{fill:#c62828;font-weight:600}
@media (prefers-color-scheme:dark){
.kz-path{color:#ececec}
.kz-path .mark{stroke:#ff8a80}
.kz-path .marked{fill:#ff8a80}
}
"""


def path_graph(trace: TraceObservation, location: Location, *, identity: str = "kz-path") -> str:
    """An `<svg>` of the hops, the target, and the segment in which somebody acts. The same for the same.

    `identity` begins the ids inside: give each picture of a page another one, of letters, digits, hyphens.
    """
    hops = list(distances(trace))[:MAX_HOPS]
    if location.distance is not None and hops and hops[-1] == location.distance:
        hops.pop()  # that is the target itself, drawn last
    nodes = [_("this computer"), *(_hop_name(trace, ttl) for ttl in hops), str(trace.endpoint)]
    height = _TOP + _STEP * (len(nodes) - 1) + 60
    title = _("The way to {endpoint}").format(endpoint=trace.endpoint)
    parts = [
        _OPENING.format(width=_WIDTH, height=height, id=identity),
        f'<title id="{identity}-title">{_text(title)}</title>',
        f'<desc id="{identity}-desc">{_text(description(trace, location), 4000)}</desc>',
        f"<style>{_STYLE}</style>",
        f'<text x="16" y="24">{_text(title)}</text>',
        *_drawn(trace, nodes, hops),
        *_marked(location, len(nodes) - 1),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def description(trace: TraceObservation, location: Location) -> str:
    """The picture in words: each hop, then what is where."""
    hops = [f"{ttl}: {' '.join(addresses_at(trace, ttl)) or _('no answer')}" for ttl in distances(trace)]
    return "; ".join([*hops, finding_text(location.finding)]) + "."


def _hop_name(trace: TraceObservation, ttl: int) -> str:
    told = addresses_at(trace, ttl)
    return " / ".join(told) if told else _("no answer")


def _drawn(trace: TraceObservation, nodes: list[str], hops: list[int]) -> Iterator[str]:
    last = len(nodes) - 1
    for number, name in enumerate(nodes):
        y = _TOP + _STEP * number
        if number < last:
            yield f'<path class="wire" d="M40 {y + 12}V{y + _STEP - 12}"/>'
        shape = (
            f'<rect class="node" x="28" y="{y - 12}" width="24" height="24" rx="4"/>'
            if number in (0, last)
            else f'<circle class="node" cx="40" cy="{y}" r="12"/>'
        )
        yield shape
        if 0 < number < last:
            yield f'<text x="40" y="{y + 4}" text-anchor="middle" class="small">{number}</text>'
        yield f'<text x="64" y="{y + 4}">{_text(name)}</text>'
        ttl = FULL_TTL if number == last else hops[number - 1] if number else None
        if ttl is not None:
            yield f'<text x="64" y="{y + _ROW}" class="small">{_text(_answers(trace, ttl), 120)}</text>'


def _answers(trace: TraceObservation, ttl: int) -> str:
    titles = {
        WalkKind.SYN: _("connection"),
        WalkKind.HELLO_CONTROL: _("harmless name"),
        WalkKind.HELLO_WATCHED: _("watched name"),
    }
    told = ((titles[kind], shown_answer(trace, kind, ttl)) for kind in _KINDS)
    return ", ".join(f"{title}: {answer}" for title, answer in told if answer)


def _marked(location: Location, last: int) -> Iterator[str]:
    """The segments, each as a bar beside the wire; the first one in words."""
    for number, finding in enumerate((location.finding, *location.others)):
        segment = finding.segment
        if segment is None or finding.device not in LOCATED:
            continue
        upper = last if segment.upper is None else min(segment.upper, last)
        top, bottom = _TOP + _STEP * min(segment.lower, last), _TOP + _STEP * upper
        x = 18 - 8 * number
        yield f'<path class="mark" d="M{x} {top + 14}V{max(bottom + 10, top + 24)}"/>'
        y = (top + bottom) // 2 + 8 + 14 * number
        yield f'<text x="330" y="{y}" class="marked">{_text(str(finding.device).replace("_", " "))}</text>'
        yield f'<text x="330" y="{y + 14}" class="small">{_text(place_text(segment), 60)}</text>'


def _text(text: str, most: int = MAX_NAME * 2) -> str:
    """Text of strangers as it may stand in XML."""
    return escape(harmless(text, most))
