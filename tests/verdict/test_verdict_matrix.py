"""The matrix: what is planned, what answers mean, what the cells say together. No network."""

from dataclasses import replace

import pytest
from verdict_world import (
    CACHE,
    HOST,
    NOW,
    UNKNOWN_CA,
    UNKNOWN_DER,
    cut,
    genuine,
    handshake,
    leaf,
    refused,
    registry,
    self_signed,
    store,
    tcp,
    unknown,
)

from kzmitm.model.failure import Failure
from kzmitm.model.matrix import (
    BASE,
    NOT_TOLD,
    AnswerKind,
    AskedName,
    Carrier,
    Cell,
    CellResult,
    CellState,
    Conclusion,
    Destination,
    HelloManner,
    Question,
    Reading,
)
from kzmitm.model.observation import Split
from kzmitm.model.target import Endpoint
from kzmitm.verdict import matrix_plan as plan
from kzmitm.verdict.handshake import Judging
from kzmitm.verdict.matrix_conclusions import conclude
from kzmitm.verdict.matrix_reading import SELF_SIGNED, culprits, read_answer, with_states

HERE, THERE, ELSEWHERE = (
    Endpoint("203.0.113.1", 443),
    Endpoint("203.0.113.2", 443),
    Endpoint("198.51.100.9", 8443),
)
SUBJECT = plan.Subject(watched=plan.Site(hostname="watched.test", endpoint=HERE), nonsense="n0.invalid")
WHOLE = replace(
    SUBJECT,
    benign="benign.test",
    ipv6=Endpoint("2001:db8::1", 443),
    other_watched=plan.Site(hostname="other.test", endpoint=THERE),
    reflector=plan.Site(hostname="reflector.test", endpoint=ELSEWHERE),
    other_port=8443,
    has_quic=True,
)


def cells(questions):
    return [question.cell for question in questions]


def question(questions, cell: Cell) -> Question:
    return next(each for each in questions if each.cell == cell)


# --- the plan


def test_the_opening_begins_with_what_must_be_clean():
    assert cells(plan.opening(WHOLE)) == [
        Cell(AskedName.BENIGN),
        Cell(AskedName.REFLECTOR, Destination.REFLECTOR),
        BASE,
        Cell(destination=Destination.REFLECTOR),
        Cell(hello=HelloManner.BROWSER),
    ]
    assert cells(plan.opening(SUBJECT)) == [BASE, Cell(hello=HelloManner.BROWSER)]


def test_the_plan_varies_one_dimension_at_a_time_but_for_pairs_that_matter():
    asked = [*plan.opening(WHOLE), *plan.rest(WHOLE)]
    assert len(set(cells(asked))) == len(asked) == 20
    varied = [
        sum(getattr(cell, field) != getattr(BASE, field) for field in Cell.__slots__) for cell in cells(asked)
    ]
    assert varied.count(0) == 1
    assert [cell for cell, count in zip(cells(asked), varied, strict=True) if count > 1] == [
        Cell(AskedName.REFLECTOR, Destination.REFLECTOR),
        Cell(AskedName.BENIGN, Destination.NOBODY),
    ]
    assert len(asked) * 3 < plan.MAX_CONNECTIONS


def test_what_is_sent_and_where():
    asked = [*plan.opening(WHOLE), *plan.rest(WHOLE)]
    sent = {each.cell.name: each.sni for each in asked}
    assert sent == {
        AskedName.WATCHED: "watched.test",
        AskedName.UPPER_CASE: "WATCHED.TEST",
        AskedName.DOT: "watched.test.",
        AskedName.NONSENSE: "n0.invalid",
        AskedName.NONE: None,
        AskedName.BENIGN: "benign.test",
        AskedName.OTHER_WATCHED: "other.test",
        AskedName.REFLECTOR: "reflector.test",
    }
    assert question(asked, Cell(destination=Destination.NOBODY)).endpoint == Endpoint("192.0.2.1", 443)
    assert question(asked, Cell(destination=Destination.REFLECTOR)).endpoint == ELSEWHERE
    assert question(asked, Cell(destination=Destination.OTHER_WATCHED)).endpoint == THERE
    assert question(asked, Cell(carrier=Carrier.OTHER_PORT)).endpoint == Endpoint("203.0.113.1", 8443)
    assert question(asked, Cell(carrier=Carrier.IPV6)).endpoint == Endpoint("2001:db8::1", 443)
    assert question(asked, Cell(carrier=Carrier.QUIC)).endpoint == HERE
    split = question(asked, Cell(hello=HelloManner.RECORDS))
    assert (split.profile, split.split) == ("small", Split.RECORDS)
    assert question(asked, Cell(hello=HelloManner.TLS12)).profile == "tls12"


def test_what_is_not_known_is_left_out():
    alone = cells(plan.rest(SUBJECT))
    assert Cell(AskedName.OTHER_WATCHED) not in alone
    assert not any(cell.carrier is not Carrier.TCP for cell in alone)
    assert not any(cell.destination is Destination.OTHER_WATCHED for cell in alone)
    same = replace(WHOLE, other_watched=plan.Site(hostname="other.test", endpoint=HERE))
    assert Cell(destination=Destination.OTHER_WATCHED) not in cells(plan.rest(same))
    assert Cell(AskedName.OTHER_WATCHED) in cells(plan.rest(same))


def reading(kind: AnswerKind = AnswerKind.CERTIFICATE, **more) -> Reading:
    fields = {"vouched": True, "names": ("a.test",)} if kind is AnswerKind.CERTIFICATE else {}
    return Reading(kind=kind, **{**fields, **more})


CUT = reading(AnswerKind.RESET)
SILENT = reading(AnswerKind.SILENCE)
FORGED = reading(vouched=False, issuer="box", leaf_sha256="f", names=("watched.test",))


def result(
    cell: Cell, *readings: Reading, state: CellState = CellState.NOT_TOLD, sni: str | None = "x"
) -> CellResult:
    return CellResult(question=Question(cell=cell, sni=sni, endpoint=HERE), readings=readings, state=state)


def test_failed_variations_are_asked_again_with_a_benign_name():
    results = [
        result(BASE, CUT, state=CellState.FAILED),
        result(Cell(hello=HelloManner.RECORDS), CUT, state=CellState.FAILED),
        result(Cell(hello=HelloManner.ECH), reading(), state=CellState.PASSED),
        result(Cell(carrier=Carrier.IPV6), CUT, state=CellState.FAILED),
        result(Cell(AskedName.NONE), CUT, state=CellState.FAILED),
        result(Cell(destination=Destination.NOBODY), CUT, state=CellState.FAILED),
    ]
    assert cells(plan.controls(results, WHOLE)) == [
        Cell(AskedName.BENIGN, hello=HelloManner.RECORDS),
        Cell(AskedName.BENIGN, carrier=Carrier.IPV6),
    ]
    assert plan.controls(results, SUBJECT) == ()


@pytest.mark.parametrize(
    ("results", "worth"),
    [
        ([result(BASE, reading())], False),
        ([result(BASE, reading(), FORGED)], True),
        ([result(BASE, CUT)], True),
        ([result(Cell(AskedName.BENIGN), CUT), result(BASE, reading())], False),
        ([result(Cell(AskedName.BENIGN), FORGED)], True),
        ([], False),
    ],
    ids=["clean", "once forged", "cut", "benign cut", "benign forged", "nothing"],
)
def test_whether_going_on_is_worthwhile(results, worth):
    assert plan.is_worthwhile(results) is worth


def test_it_is_hopeless_after_silence_at_the_own_address_only():
    silent = [(BASE, SILENT)] * plan.MAX_SILENCES
    assert plan.is_hopeless(silent)
    assert not plan.is_hopeless(silent[1:])
    assert not plan.is_hopeless([*silent, (BASE, CUT)])
    assert plan.is_hopeless(
        [*silent, (Cell(destination=Destination.NOBODY), CUT), (Cell(carrier=Carrier.QUIC), CUT)]
    )


def test_a_third_answer_is_wanted_where_two_differ():
    assert plan.needs_third([reading(), FORGED])
    assert plan.needs_third([reading(), CUT])
    assert not plan.needs_third([CUT, CUT])
    assert not plan.needs_third([CUT])
    assert not plan.needs_third([reading(), CUT, CUT])


# --- answers

JUDGING = Judging(registry(), store(), CACHE, NOW)


def read(tls=None, connect=None) -> Reading:
    return read_answer(connect, tls, JUDGING, hostname=HOST)


@pytest.mark.parametrize(
    ("tls", "kind"),
    [
        (cut(Failure.CONNECTION_RESET), AnswerKind.RESET),
        (cut(Failure.CONNECTION_ABORTED), AnswerKind.RESET),
        (cut(Failure.EOF), AnswerKind.CLOSED),
        (cut(Failure.GENERIC_TIMEOUT), AnswerKind.SILENCE),
        (cut(Failure.PROXY_FAILED), AnswerKind.FAULT),
        (cut("unknown_failure: internal error"), AnswerKind.FAULT),
        (cut(Failure.SSL_FAILED_HANDSHAKE), AnswerKind.NOT_TLS),
        (cut(Failure.EOF, first_bytes=b"HTTP/1.1 409"), AnswerKind.NOT_TLS),
        (refused(40), AnswerKind.ALERT),
    ],
)
def test_kinds_of_failures(tls, kind):
    found = read(tls)
    assert (found.kind, found.vouched, found.connected) == (kind, None, True)


def test_without_a_connection():
    assert read(None, tcp("connection_refused")) == Reading(
        kind=AnswerKind.NO_CONNECTION, failure="connection_refused", connected=False
    )
    assert read(None, tcp(Failure.PROXY_FAILED)).kind is AnswerKind.FAULT
    assert read().kind is AnswerKind.FAULT


def test_certificates_are_read_with_who_vouches_for_them():
    fine = read(handshake(genuine()))
    assert (fine.kind, fine.vouched, fine.names, fine.alpn) == (AnswerKind.CERTIFICATE, True, (HOST,), "h2")
    other_name = read(handshake(genuine("elsewhere.example")))
    assert (other_name.vouched, other_name.names) == (True, ("elsewhere.example",))
    forged = read(handshake(unknown()))
    assert (forged.vouched, forged.self_signed) == (False, False)
    assert forged.issuer == CACHE.parse(UNKNOWN_DER).subject.der.hex()
    assert read(handshake(unknown(), sni=None)).vouched is False
    own = read(handshake(self_signed()))
    assert (own.vouched, own.self_signed, own.covers) == (False, True, True)
    assert read(handshake(self_signed(), sni=None)).covers is None
    assert read(handshake(self_signed(), sni="other.example")).covers is False
    assert read(handshake(genuine(), verified=False)).vouched is False
    nameless = read(handshake((leaf(HOST, UNKNOWN_CA, names=None), UNKNOWN_DER)))
    assert nameless.names == (HOST,)


def test_a_certificate_without_any_name():
    assert read(handshake((b"\x30\x00",))).names == ()


# --- whose forgery it is


def test_a_verdict_of_interception_names_the_culprit_of_the_base_case():
    results = [result(BASE, FORGED)]
    assert culprits(results, is_interception=True) == {"box"}
    assert culprits(results, is_interception=False) == frozenset()
    assert culprits([result(BASE, replace(FORGED, self_signed=True))], is_interception=True) == frozenset()
    assert culprits([], is_interception=True) == frozenset()


def test_who_forges_at_a_server_with_a_valid_certificate_is_a_culprit():
    at = Cell(destination=Destination.REFLECTOR)
    itself = Cell(AskedName.REFLECTOR, Destination.REFLECTOR)
    assert culprits([result(at, FORGED), result(itself, reading())], is_interception=False) == {"box"}
    assert culprits([result(at, FORGED), result(itself, FORGED)], is_interception=False) == frozenset()
    assert culprits([result(at, FORGED), result(itself)], is_interception=False) == frozenset()


def test_who_signs_for_unrelated_names_is_a_culprit():
    base, benign = result(BASE, FORGED), result(Cell(AskedName.BENIGN), replace(FORGED, leaf_sha256="g"))
    assert culprits([base, benign], is_interception=False) == {"box"}
    one_leaf = result(Cell(AskedName.BENIGN), FORGED)
    assert culprits([base, one_leaf], is_interception=False) == frozenset()
    same_name = result(Cell(AskedName.DOT), replace(FORGED, leaf_sha256="g"))
    assert culprits([base, same_name], is_interception=False) == frozenset()
    others_only = [benign, result(Cell(AskedName.NONSENSE), replace(FORGED, leaf_sha256="h"))]
    assert culprits(others_only, is_interception=False) == frozenset()


OWN = replace(FORGED, self_signed=True, covers=True, issuer="itself")


def test_leaves_that_sign_themselves_are_forgeries_where_a_server_cannot_have_made_them():
    at = Cell(destination=Destination.REFLECTOR)
    itself = Cell(AskedName.REFLECTOR, Destination.REFLECTOR)
    foreign = [result(at, OWN), result(itself, reading())]
    assert culprits(foreign, is_interception=False) == {SELF_SIGNED}
    default = [result(at, replace(OWN, covers=False)), result(itself, reading())]
    assert culprits(default, is_interception=False) == frozenset()
    assert culprits([result(BASE, OWN)], is_interception=True) == {SELF_SIGNED}
    assert culprits([result(BASE, OWN)], is_interception=False) == frozenset()
    found = with_states(
        [result(BASE, OWN), result(BENIGN, replace(OWN, covers=False))], frozenset({SELF_SIGNED})
    )
    assert [each.state for each in found] == [CellState.FORGED, CellState.OTHER]


@pytest.mark.parametrize(
    ("readings", "state"),
    [
        ((FORGED, FORGED), CellState.FORGED),
        ((reading(),), CellState.PASSED),
        ((replace(FORGED, issuer="somebody"),), CellState.OTHER),
        ((CUT, SILENT), CellState.FAILED),
        ((FORGED, reading()), CellState.MIXED),
        ((FORGED, reading(AnswerKind.FAULT)), CellState.FORGED),
        ((reading(AnswerKind.FAULT),), CellState.NOT_TOLD),
        ((), CellState.NOT_TOLD),
    ],
    ids=["forged", "passed", "other", "failed", "mixed", "our fault once", "our fault", "not asked"],
)
def test_state_of_a_cell(readings, state):
    (found,) = with_states([result(BASE, *readings)], frozenset({"box"}))
    assert found.state is state


# --- conclusions

BENIGN, NONSENSE, NO_NAME = Cell(AskedName.BENIGN), Cell(AskedName.NONSENSE), Cell(AskedName.NONE)
AT_REFLECTOR, ITSELF = (
    Cell(destination=Destination.REFLECTOR),
    Cell(AskedName.REFLECTOR, Destination.REFLECTOR),
)
AT_OTHER, AT_NOBODY = Cell(destination=Destination.OTHER_WATCHED), Cell(destination=Destination.NOBODY)
BENIGN_AT_NOBODY = Cell(AskedName.BENIGN, Destination.NOBODY)
ALL = (BASE, AT_OTHER, AT_REFLECTOR)
AT_HOME, MANY = (BASE, BENIGN, AT_REFLECTOR), (BASE, NONSENSE, BENIGN)
F, P, X, U, M = CellState.FORGED, CellState.PASSED, CellState.FAILED, CellState.OTHER, CellState.MIXED
_READINGS = {F: FORGED, P: reading(alpn="h2"), X: CUT, U: replace(FORGED, issuer="u"), M: FORGED}


def told(states: dict[Cell, CellState], **readings: Reading) -> dict[str, Conclusion]:
    given = {"BASE": BASE, "BENIGN": BENIGN, "AT_REFLECTOR": AT_REFLECTOR, "ITSELF": ITSELF,
             "BENIGN_AT_NOBODY": BENIGN_AT_NOBODY}  # fmt: skip
    special = {given[name]: value for name, value in readings.items()}
    snis = {ITSELF: "reflector.test"}
    results = [
        result(cell, special.get(cell, _READINGS[state]), state=state, sni=snis.get(cell, "watched.test"))
        for cell, state in states.items()
    ]
    return {each.subject: each for each in conclude(results)}


@pytest.mark.parametrize(
    ("subject", "states", "value", "proof"),
    [
        ("trigger", {BASE: F, BENIGN: P, NONSENSE: P}, "listed_names", (BASE, BENIGN, NONSENSE)),
        ("trigger", {BASE: F, BENIGN: F, NONSENSE: F}, "every_name", (BASE, BENIGN, NONSENSE)),
        ("trigger", {BASE: F, BENIGN: F, NONSENSE: P}, "many_names", (BASE, BENIGN, NONSENSE)),
        ("trigger", {BASE: F, BENIGN: X, NO_NAME: P}, "a_name", (BASE, NO_NAME)),
        ("trigger", {BASE: F, BENIGN: X}, NOT_TOLD, (BASE,)),
        ("trigger", {BASE: F, BENIGN: F, AT_REFLECTOR: P, ITSELF: P}, "address", AT_HOME),
        ("trigger", {BASE: F, NONSENSE: F, AT_REFLECTOR: P, BENIGN: P}, "many_names", MANY),
        ("constancy", {BASE: F}, "always", (BASE,)),
        ("constancy", {BASE: M}, "sometimes", (BASE,)),
        ("constancy", {AT_REFLECTOR: F}, NOT_TOLD, ()),
        ("trigger", {AT_REFLECTOR: F, ITSELF: P, BASE: P}, "listed_names", (AT_REFLECTOR, ITSELF)),
        ("trigger", {Cell(AskedName.DOT): F, BASE: P}, NOT_TOLD, ()),
        ("trigger", {BASE: M, BENIGN: P}, "listed_names", (BASE, BENIGN)),
        ("destination", {BASE: F, AT_REFLECTOR: F, AT_OTHER: F}, "any_address", (AT_OTHER, AT_REFLECTOR)),
        ("destination", {BASE: F, AT_REFLECTOR: P, AT_OTHER: P}, "own_addresses", ALL),
        ("destination", {BASE: F, AT_REFLECTOR: P, AT_OTHER: F}, "watched_addresses", ALL),
        ("destination", {BASE: F, AT_OTHER: F}, "several_addresses", (AT_OTHER,)),
        ("destination", {BASE: F}, NOT_TOLD, ()),
        ("direction", {BASE: F}, "from_here", (BASE,)),
        ("direction", {BENIGN: F}, NOT_TOLD, ()),
        ("needs_server", {BASE: F, AT_NOBODY: F}, "no", (AT_NOBODY,)),
        ("needs_server", {AT_REFLECTOR: F, AT_NOBODY: X}, "yes", (AT_REFLECTOR, AT_NOBODY)),
        ("needs_server", {BASE: F, AT_NOBODY: X}, NOT_TOLD, ()),
        ("needs_server", {BASE: F}, NOT_TOLD, ()),
        ("termination", {BASE: F}, NOT_TOLD, ()),
        ("termination", {BASE: F, BENIGN_AT_NOBODY: X}, "from_the_first_packet", (BENIGN_AT_NOBODY,)),
        ("protocol", {BASE: F, BENIGN: P}, "lost", (BASE, BENIGN)),
        ("protocol", {BASE: F, BENIGN: F}, NOT_TOLD, ()),
        ("copying", {BASE: F, AT_REFLECTOR: P, ITSELF: P}, NOT_TOLD, ()),
        ("copying", {BASE: F, AT_REFLECTOR: F}, NOT_TOLD, ()),
        ("upper_case", {BASE: F, Cell(AskedName.UPPER_CASE): P}, "passes", (Cell(AskedName.UPPER_CASE),)),
        ("dot", {BASE: F, Cell(AskedName.DOT): F}, "intercepted", (Cell(AskedName.DOT),)),
        ("no_name", {BASE: F, NO_NAME: X}, "fails", (NO_NAME,)),
        ("no_name", {BASE: F, NO_NAME: U}, NOT_TOLD, ()),
        ("quic", {BASE: F, Cell(carrier=Carrier.QUIC): M}, "sometimes", (Cell(carrier=Carrier.QUIC),)),
        ("ipv6", {BASE: F}, NOT_TOLD, ()),
    ],
)  # fmt: skip
def test_conclusions_and_what_proves_them(subject, states, value, proof):
    found = told(states)[subject]
    assert (found.value, found.cells) == (value, proof)


@pytest.mark.parametrize(
    ("control", "value"),
    [(P, "broken_for_the_name"), (X, "fails_for_every_name"), (F, "fails"), (None, "fails")],
)
def test_a_failed_variation_is_held_against_a_benign_name(control, value):
    cell = Cell(hello=HelloManner.RECORDS)
    states = {BASE: F, cell: X}
    if control is not None:
        states[Cell(AskedName.BENIGN, hello=HelloManner.RECORDS)] = control
    assert told(states)["records"].value == value


@pytest.mark.parametrize(
    ("names", "home", "value"),
    [
        (("reflector.test",), ("watched.test",), "origin_at_address"),
        (("*.test",), ("watched.test",), "origin_and_name"),
        (("reflector.test", "watched.test"), ("watched.test",), "origin_and_name"),
        (("watched.test",), ("watched.test",), "name_asked_for"),
        (("watched.test", "m.watched.test"), ("m.watched.test", "watched.test"), "site_of_the_name"),
        (("a.test",), ("watched.test",), "origin_at_address"),
        (("box.lan",), ("watched.test",), "neither"),
        ((), ("watched.test",), "neither"),
    ],
    ids=["origin", "wildcard", "both", "name", "site", "another name of the origin", "neither", "no names"],
)
def test_whose_names_are_copied(names, home, value):
    states = {BASE: F, AT_REFLECTOR: F, ITSELF: P}
    found = told(
        states,
        BASE=replace(FORGED, names=home),
        AT_REFLECTOR=replace(FORGED, names=names),
        ITSELF=reading(names=("reflector.test", "a.test")),
    )["copying"]
    assert (found.value, found.names) == (value, names)
    assert (BASE in found.cells) is (value == "site_of_the_name")


def test_copying_is_told_of_one_who_takes_every_name_too():
    states = {BENIGN: F, AT_REFLECTOR: F, ITSELF: F}
    found = told(states, AT_REFLECTOR=replace(FORGED, names=("reflector.test", "watched.test")))
    assert found["copying"].value == "origin_and_name"


def test_termination_by_who_answers_where_nobody_is():
    quiet = replace(CUT, kind=AnswerKind.NO_CONNECTION, connected=False)
    acts_anywhere = told({AT_REFLECTOR: F, BENIGN_AT_NOBODY: X}, BENIGN_AT_NOBODY=quiet)["termination"]
    assert acts_anywhere.value == "not_before_the_hello"
    assert acts_anywhere.cells == (AT_REFLECTOR, BENIGN_AT_NOBODY)
    acts_at_home = told({BASE: F, BENIGN_AT_NOBODY: X}, BENIGN_AT_NOBODY=quiet)["termination"]
    assert acts_at_home.value == NOT_TOLD


def test_of_one_who_acts_at_times_what_passed_proves_nothing():
    at_times = (FORGED, reading(), FORGED)
    results = [
        result(BASE, *at_times, state=M),
        result(BENIGN, reading(), state=P),
        result(NONSENSE, FORGED, state=F),
        result(NO_NAME, reading(), state=P),
        result(AT_REFLECTOR, reading(), state=P),
        result(Cell(AskedName.DOT), FORGED, state=F),
    ]
    found = {each.subject: each for each in conclude(results)}
    assert (found["trigger"].value, found["trigger"].cells) == ("several_names", (BASE, NONSENSE))
    assert (found["no_name"].value, found["destination"].value) == (NOT_TOLD, NOT_TOLD)
    assert (found["dot"].value, found["constancy"].value) == ("intercepted", "sometimes")
    alone = {each.subject: each for each in conclude(results[:2])}
    assert alone["trigger"].value == NOT_TOLD
    both = {each.subject: each for each in conclude([results[0], result(BENIGN, *at_times, state=M)])}
    assert both["trigger"].cells == (BASE, BENIGN)
    lossy = {each.subject: each for each in conclude([result(BASE, FORGED, SILENT, state=M), results[3]])}
    assert lossy["no_name"].value == "passes"


@pytest.mark.parametrize(
    ("here", "there", "value"), [("h2", "h2", "kept"), ("", "h2", "lost"), ("", "", NOT_TOLD)]
)
def test_http2(here, there, value):
    found = told({BASE: F, BENIGN: P}, BASE=replace(FORGED, alpn=here), BENIGN=reading(alpn=there))
    assert found["protocol"].value == value


def test_without_anything_forged_nothing_is_told():
    found = told({BASE: P, BENIGN: P, AT_NOBODY: X, Cell(carrier=Carrier.QUIC): P, NO_NAME: U})
    assert {each.value for each in found.values()} == {NOT_TOLD}
    assert not any(each.cells for each in found.values())


def test_cells_are_written_as_one_word():
    assert str(BASE) == "watched@own/small/tcp"
    assert result(BASE).cell == BASE
