"""A trace for people: sentences, the table, and a picture that says what it shows."""

from xml.dom import minidom

import pytest

from kzmitm.model.location import Device, Finding, Hop, HopAddress, Location, Segment, System
from kzmitm.model.target import Endpoint
from kzmitm.model.trace import FULL_TTL, Answer, Step, TraceMethod, TraceObservation, Walk, WalkKind
from kzmitm.report import trace as words
from kzmitm.report.path_graph import path_graph
from kzmitm.verdict.locate import locate

ENDPOINT = Endpoint("203.0.113.10", 443)


def step(ttl, answer, address=None):
    return Step(ttl=ttl, flow=40000 + ttl, answer=answer, address=address)


def observed(address="192.0.2.1"):
    syn = [step(1, Answer.EXPIRED, "10.0.0.1"), step(2, Answer.EXPIRED, address), step(3, Answer.SILENCE)]
    syn += [step(4, Answer.OPEN, ENDPOINT.ip), step(FULL_TTL, Answer.OPEN, ENDPOINT.ip)]
    hello = [step(1, Answer.EXPIRED), step(2, Answer.HANDSHAKE), step(2, Answer.SILENCE)]
    walks = (
        Walk(kind=WalkKind.SYN, port=443, steps=tuple(syn)),
        Walk(kind=WalkKind.HELLO_WATCHED, port=443, name="a.test", steps=tuple(hello)),
    )
    return TraceObservation(endpoint=ENDPOINT, method=TraceMethod.SOCKETS, walks=walks)


def hop(ttl, *ips, system=None):
    return Hop(ttl, tuple(HopAddress(ip, system) for ip in ips))


SEGMENT = Segment(
    1, 2, hop(1, "10.0.0.1"), hop(2, "192.0.2.1", "192.0.2.9", system=System(64500, "Exa\x1bmple")), hop(3)
)


def location(device=Device.SNI_INTERCEPTOR, segment=SEGMENT, **more):
    told = {"proof": ("watched_answered:handshake", "control_expired"), "untold": ("parallel_ways",)} | more
    finding = Finding(device=device, segment=segment, proof=told.pop("proof"))
    return Location(endpoint=ENDPOINT, finding=finding, distance=4, **told)


def test_lines():
    other = Finding(device=Device.TERMINATING_PROXY, segment=Segment(2, None, hop(2, "192.0.2.1")))
    said = [str(line) for line in words.location_lines(location(others=(other,)))]
    assert said[0].startswith("203.0.113.10:443: a box that takes connections over")
    assert "between hop 1 (10.0.0.1) and hop 2 (192.0.2.1, AS64500 Exa\\x1bmple or 192.0.2.9" in said[0]
    assert "  - the watched name is answered there (handshake)" in said
    assert any("also: a proxy" in line and "behind hop 2 (192.0.2.1)" in line for line in said)
    assert any("parallel ways" in line for line in said)


def test_place_next_to_this_computer():
    assert words.place_text(Segment(0, 1, hop(0), hop(1))) == "on this computer or on the way to hop 1"
    assert words.place_text(Segment(0, None, hop(0))) == "behind this computer"


def test_what_has_no_place_has_none_in_words():
    told = location(Device.UNLOCATED, SEGMENT)
    assert words.location_text(told) == "not located"


def test_codes_of_later_versions_are_shown_as_they_are():
    assert words.proof_text("of_later:x") == "of_later:x"
    assert "of_later" in " ".join(map(str, words.location_lines(location(untold=("of_later",)))))


@pytest.mark.parametrize("device", Device)
def test_every_device_has_words(device):
    assert words.finding_text(Finding(device=device))


def test_every_code_of_the_decision_has_words():
    for code in ("flat", "stretched", "nothing_nearer", "ttl_copied", "others_go_on"):
        assert words.proof_text(code) != code
    assert set(locate(observed()).untold) <= set(words.UNTOLD)


def test_table():
    rows = [str(line).split() for line in words.path_table(observed())]
    assert rows[1] == ["1", "10.0.0.1", "expired", "expired"]
    assert rows[2] == ["2", "192.0.2.1", "expired", "certificate"]
    assert rows[3] == ["3", "*", "*"]
    assert rows[-1] == ["any", "203.0.113.10", "open"]
    assert len(rows) == 6


def test_table_of_nothing():
    empty = TraceObservation(endpoint=ENDPOINT, method=TraceMethod.SOCKETS, walks=())
    assert len(list(words.path_table(empty))) == 2


def parsed(picture):
    return minidom.parseString(picture).documentElement  # noqa: S318 - our own


def text(element):
    return "".join(child.data for child in element.childNodes)


def test_picture_says_what_it_shows():
    root = parsed(path_graph(observed(), location()))
    (title,), (desc,) = root.getElementsByTagName("title"), root.getElementsByTagName("desc")
    names = f"{title.getAttribute('id')} {desc.getAttribute('id')}"
    assert root.getAttribute("aria-labelledby") == names
    assert text(title) == "The way to 203.0.113.10:443"
    assert "2: 192.0.2.1" in text(desc)
    assert "a box that takes connections over" in text(desc)
    texts = [text(each) for each in root.getElementsByTagName("text")]
    assert "sni interceptor" in texts
    assert "no answer" in texts
    assert len(root.getElementsByTagName("circle")) == 3
    assert "prefers-color-scheme:dark" in text(root.getElementsByTagName("style")[0])


def test_picture_stands_alone_and_is_the_same_each_time():
    picture = path_graph(observed(), location(), identity="one")
    assert picture == path_graph(observed(), location(), identity="one")
    assert 'id="one-title"' in picture
    assert "href" not in picture
    assert "<script" not in picture


def test_names_of_strangers_draw_nothing():
    picture = path_graph(observed(address='"><script>\x1b</script>'), location(Device.ENDPOINT, None))
    parsed(picture)
    assert "<script" not in picture
    assert "\x1b" not in picture


def test_picture_of_an_open_end_and_of_two():
    other = Finding(device=Device.TCP_BLOCK, segment=Segment(2, None, hop(2, "192.0.2.1")))
    root = parsed(path_graph(observed(), location(others=(other,))))
    marks = [each for each in root.getElementsByTagName("path") if each.getAttribute("class") == "mark"]
    assert len(marks) == 2
