"""Traits, matrices and reflectors in words; whatever strangers wrote in them is made harmless."""

from dataclasses import replace

import pytest

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
from kzmitm.model.reflection import (
    Fitness,
    NameOutcome,
    NameResult,
    NetworkSummary,
    Reflector,
    ReflectorResult,
)
from kzmitm.model.target import Endpoint
from kzmitm.model.traits import AnswerTraits, TraitMatch
from kzmitm.report import matrix as words
from kzmitm.report.reflect import FITNESS, MAX_NAMES, network_lines, reflector_line
from kzmitm.report.traits import TRAIT_NAMES, match_lines, trait_lines
from kzmitm.verdict.matrix_conclusions import conclude

EVIL = "a\x1b[2J\u202e.test"


def text(lines) -> str:
    return "\n".join(map(str, lines))


# --- traits


def test_only_what_could_be_told_is_told():
    assert text(trait_lines(AnswerTraits())) == ""
    told = text(
        trait_lines(AnswerTraits(alpn="", session_ticket=False, ocsp_staple=True, refused=("TLSv1",)))
    )
    assert told.splitlines() == [
        "  application protocol: none",
        "  session tickets: no",
        "  OCSP staple: yes",
        "  versions refused: TLSv1",
    ]


def test_losses_against_the_clean_place():
    here = AnswerTraits(alpn="", session_ticket=False, ocsp_staple=False, accepted=("TLSv1", "TLSv1.2"))
    there = AnswerTraits(alpn="h2", session_ticket=True, ocsp_staple=True, refused=("TLSv1", "TLSv1.1"))
    lines = text(trait_lines(here, control=there)).splitlines()
    assert (
        "  lost against the clean place: the application protocol (h2), the OCSP staple, session tickets"
        in lines
    )
    assert "  accepted here, refused by the server itself: TLSv1" in lines
    same = text(trait_lines(there, control=there))
    assert "lost" not in same
    assert "accepted here" not in same


def test_names_of_products_are_harmless():
    match = TraitMatch("x", EVIL, ("jarm", "alpn"))
    assert text(match_lines([match])) == r"  consistent with a\x1b[2J\u202e.test (JARM, application protocol)"
    assert "no product" in text(match_lines([]))
    assert set(TRAIT_NAMES) >= {"jarm", "ja3s", "shape", "alpn", "accepts", "refuses"}


# --- the matrix


def test_every_code_has_words():
    for table, codes in (
        (words.NAMES, AskedName),
        (words.DESTINATIONS, Destination),
        (words.HELLOS, HelloManner),
        (words.CARRIERS, Carrier),
        (words.STATES, CellState),
        (words.KINDS, AnswerKind),
        (FITNESS, Fitness),
    ):
        assert set(table) == set(codes)
    assert {conclusion.subject for conclusion in conclude([])} == set(words.SUBJECTS)


def result(cell: Cell, state: CellState, *readings: Reading) -> CellResult:
    question = Question(cell=cell, sni="a.test", endpoint=Endpoint("192.0.2.1", 443))
    return CellResult(question=question, readings=readings, state=state)


FORGED = Reading(kind=AnswerKind.CERTIFICATE, vouched=False)
RESET = Reading(kind=AnswerKind.RESET)


def test_the_table_has_one_line_for_each_cell():
    lines = text(
        words.table_lines(
            [
                result(BASE, CellState.FORGED, FORGED, FORGED),
                result(Cell(hello=HelloManner.RECORDS), CellState.FAILED, RESET),
                result(Cell(AskedName.NONE), CellState.MIXED, FORGED, RESET, RESET),
                result(Cell(AskedName.DOT), CellState.NOT_TOLD),
            ]
        )
    ).splitlines()
    assert lines[0].split() == ["name", "address", "hello", "carrier", "answer"]
    assert lines[1].startswith("1  watched name ")
    assert lines[1].endswith("TCP      FORGED 2 times")
    assert lines[2].endswith("failed (a reset)")
    assert lines[3].endswith("not always the same 3 times (a reset)")
    assert lines[4].endswith("not told")
    assert len({line.index("TCP") for line in lines[1:]}) == 1
    assert text(words.table_lines([])) == ""


def test_conclusions_name_the_rows_that_prove_them():
    results = [result(BASE, CellState.FORGED, FORGED), result(Cell(AskedName.NONE), CellState.PASSED, FORGED)]
    conclusions = [
        Conclusion(subject="no_name", value="passes", cells=(Cell(AskedName.NONE), BASE)),
        Conclusion(subject="copying", value="origin_at_address", cells=(BASE,), names=(EVIL, "b", "c", "d")),
        Conclusion(subject="direction", value="from_here"),
        Conclusion(subject="quic", value=NOT_TOLD),
        Conclusion(subject="ipv6", value=NOT_TOLD),
    ]
    lines = text(words.conclusion_lines(conclusions, results)).splitlines()
    assert lines[0] == "Without a name: passes untouched (rows 1, 2)"
    assert lines[1].endswith(r"name asked for: a\x1b[2J\u202e.test, b, c (row 1)")
    assert lines[2].startswith("Direction: connections that leave from here")
    assert lines[3] == "Not told: Over QUIC; Over IPv6"
    assert "Not told" not in text(words.conclusion_lines(conclusions[:1], results))


# --- reflectors

SERVER = Reflector(hostname="a.test", port=8443, asn=9198)


def server(
    *outcomes: NameOutcome, fitness: Fitness = Fitness.FIT, authority: str | None = None
) -> ReflectorResult:
    names = tuple(
        NameResult(sni=f"n{i}.test", outcome=outcome, kind="certificate", authority=authority)
        for i, outcome in enumerate(outcomes)
    )
    return ReflectorResult(reflector=SERVER, fitness=fitness, names=names)


@pytest.mark.parametrize(
    ("shown", "line"),
    [
        (server(NameOutcome.FORGED, NameOutcome.BLOCKED), "FORGED  a.test:8443 (AS9198): n0.test"),
        (server(NameOutcome.FORGED, authority="kz"), "FORGED  a.test:8443 (AS9198): n0.test, by kz"),
        (server(NameOutcome.BLOCKED), "BLOCKED  a.test:8443 (AS9198): n0.test"),
        (server(NameOutcome.UNAFFECTED), "unaffected  a.test:8443 (AS9198)"),
        (server(fitness=Fitness.LOST), "not used  a.test:8443 (AS9198): answered no more"),
    ],
)
def test_a_server_in_one_line(shown, line):
    assert str(reflector_line(shown)) == line


def test_many_names_are_counted_and_strangers_are_harmless():
    many = server(*[NameOutcome.BLOCKED] * (MAX_NAMES + 2))
    assert str(reflector_line(many)).endswith("n7.test and 2 more")
    bare = replace(many, reflector=Reflector(hostname="a.test"), names=())
    assert str(reflector_line(bare)) == "unaffected  a.test"
    network = NetworkSummary(asn=0, name="", reflectors=1, forged_names=((EVIL, 1),))
    told = text(network_lines([network, NetworkSummary(asn=7, name=EVIL, reflectors=2, fit=2)]))
    assert "  network not given: 1 server, 0 fit" in told
    assert r"    forged: a\x1b[2J\u202e.test (1)" in told
    assert r"  AS7 a\x1b[2J\u202e.test: 2 servers, 2 fit" in told
