"""Our own measurements in an archive: judged as `kzmitm judge` does, whatever part or file they came in."""

import json
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from judged_corpora import analysis, by_uid, extract, judge, rows, verdicts, write_lines

from kzmitm.model.observation import Role
from kzmitm.ooni.archive.analysis import Grounds
from kzmitm.ooni.archive.own import own_verdicts
from kzmitm.ooni.archive.parts import EXTRACT, OWN, parts_of
from kzmitm.ooni.emit import emit
from kzmitm.verdict.judge import Judge

sys.path.insert(0, str(Path(__file__).parents[2] / "verdict"))

from verdict_scenarios import SCENARIOS
from verdict_world import (
    HOST,
    NOW,
    dns,
    genuine,
    handshake,
    measured,
    registry,
    self_signed,
    state,
    store,
    tcp,
    unknown,
)

GROUNDS = Grounds(registry(), store())
VERDICT = ("outcome", "confidence", "scope", "authority", "match", "rule", "label", "asks")


def line(measurement, uid=None):
    document = json.loads(json.dumps(emit(measurement, test_start_time=NOW)))
    return document | ({"measurement_uid": uid} if uid else {})


def told_by_judge(measurements):
    """What a scan's judge says at the end of its run, as columns of the archive."""
    court = Judge(registry=GROUNDS.registry, store=GROUNDS.store)
    found = {id(each): court.verdict(each, each.started_at) for each in measurements}
    found |= {id(each.facts.measurement): each.verdict for each in court.settle()}
    return [_columns(found[id(each)]) for each in measurements]


def _columns(verdict):
    authority = verdict.authority
    return (
        verdict.outcome,
        verdict.confidence or "",
        verdict.scope or "",
        authority.id if authority else "",
        authority.match if authority else "",
        verdict.rule_ids[0],
        verdict.labels[0] if verdict.labels else "",
        " ".join(verdict.undecided),
    )


def columns(row):
    return tuple(row[name] for name in VERDICT)


def runs():
    """The measurements of every named scenario, each a run of its own."""
    return {name: [facts.measurement for facts in scenario.run()] for name, scenario in SCENARIOS.items()}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Every scenario in a file of its own, all files in one part."""
    out, made = tmp_path_factory.mktemp("own"), runs()
    for name, run in made.items():
        documents = [line(each, f"{name}#{number}") for number, each in enumerate(run)]
        write_lines(out / "read" / f"{name}.jsonl", documents)
    extract([out / "read"], out)
    judge(out, GROUNDS)
    assert len(list(parts_of(out / EXTRACT))) == 1
    return out, made


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_run_is_judged_as_its_scan_was(judged, name):
    out, made = judged
    found = by_uid(out)
    assert [columns(found[f"{name}#{number}"]) for number in range(len(made[name]))] == told_by_judge(
        made[name]
    )


def test_the_verdict_stands_at_the_handshake_that_it_is_about(judged):
    out, made = judged
    shown = {(row["uid"], row["n"]): row for row in rows(out, "handshakes")}
    checked = 0
    for name, run in made.items():
        for number, measurement in enumerate(run):
            for n, each in enumerate(measurement.tls):
                row = shown[f"{name}#{number}", n]
                assert (row["outcome"] != "") is (each is measurement.first), (name, n, row["role"])
                checked += each.role is not Role.FIRST
    assert checked > 50, "there are follow-ups"


def forged(host):
    return measured(handshake(unknown(host), sni=host), host=host)


SETTLED = [forged("a.test"), forged("b.example"), forged(HOST)]
"""Only all three of them tell that one issuer signs for hosts that have nothing to do with each other."""


def test_hosts_of_a_run_bear_each_other_out(tmp_path):
    analysis([line(each, each.target.hostname) for each in SETTLED], tmp_path, GROUNDS)
    assert {row["outcome"] for row in rows(tmp_path)} == {"interception"}


def test_strangers_to_a_run_bear_nothing_out(tmp_path):
    """Three files are three runs, though one worker read them into one part."""
    for each in SETTLED:
        name = each.target.hostname
        write_lines(tmp_path / "read" / f"{name}.jsonl", [line(each, name)])
    extract([tmp_path / "read"], tmp_path)
    judge(tmp_path, GROUNDS)
    assert [columns(row) for row in rows(tmp_path)] == [*told_by_judge(SETTLED[:1])] * 3


def test_neither_parts_nor_their_order_make_another_verdict(tmp_path):
    scan = [line(each, each.target.hostname) for each in SETTLED]
    other = [line(measured(handshake(unknown("c.example"), sni="c.example"), host="c.example"), "c")]
    first = [write_lines(tmp_path / "x" / "1.jsonl", scan), write_lines(tmp_path / "x" / "2.jsonl", other)]
    second = [write_lines(tmp_path / "y" / "2.jsonl", scan), write_lines(tmp_path / "y" / "1.jsonl", other)]
    for out, paths, apart in (("a", first, False), ("b", first, True), ("c", second, False)):
        for group in [[path] for path in paths] if apart else [paths]:
            extract(group, tmp_path / out)
        judge(tmp_path / out, GROUNDS)
    assert verdicts(tmp_path / "a") == verdicts(tmp_path / "b") == verdicts(tmp_path / "c")


@pytest.mark.parametrize("form", ["pretty", "envelope", "text in an envelope"])
def test_a_measurement_in_any_form(tmp_path, form):
    whole = line(measured(handshake(state())), "u")
    content = {"pretty": whole, "envelope": {"format": "json", "content": whole}}.get(
        form, {"format": "json", "content": json.dumps(whole)}
    )
    path = tmp_path / "read" / "one.json"
    path.parent.mkdir()
    path.write_text(json.dumps(content, indent=2) + "\r\n")
    extract([path], tmp_path)
    judge(tmp_path, GROUNDS)
    (found,) = rows(tmp_path)
    assert columns(found) == told_by_judge([measured(handshake(state()))])[0]


def test_what_was_measured_before_any_handshake(tmp_path):
    nothing = [measured(dns("93.184.216.34"), tcp("connection_refused")), measured(host="b.test")]
    analysis([line(each, str(number)) for number, each in enumerate(nothing)], tmp_path, GROUNDS)
    found = by_uid(tmp_path)
    assert [columns(found[str(number)]) for number in range(2)] == told_by_judge(nothing)


def test_follow_ups_are_no_measurements_of_the_site(tmp_path):
    """The harmless name drew a forged chain, the site's own a genuine one: the site's counts."""
    odd = measured(handshake(genuine()), handshake(state("benign.test"), Role.BENIGN_SNI))
    analysis([line(odd, "u")], tmp_path, GROUNDS)
    (found,) = rows(tmp_path)
    assert columns(found) == told_by_judge([odd])[0]
    assert found["intercepted"] == 0
    assert [(row["role"], row["outcome"]) for row in rows(tmp_path, "handshakes")] == [
        ("", "clean"),
        ("benign_sni", ""),
    ]


def altered(tmp_path, change, measurements=()):
    """The rows after `own.jsonl` was changed: what a stranger may have done, or a disk."""
    measurements = measurements or (measured(handshake(state())),)
    write_lines(tmp_path / "read" / "x.jsonl", [line(each, str(n)) for n, each in enumerate(measurements)])
    extract([tmp_path / "read"], tmp_path)
    (part,) = parts_of(tmp_path / EXTRACT)
    path = part / OWN
    path.write_bytes(change(path.read_bytes()))
    judge(tmp_path, GROUNDS)
    return rows(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda _own: b"",
        lambda _own: b"\0\xff\n\n 0 \nx\n",
        lambda own: own[: len(own) // 2],
        lambda own: b"x" + own,
        lambda own: b"-1" + own[1:],
        lambda own: b"99999999999999999999" + own[1:],
        lambda own: b"1" + own[1:],
        lambda _own: b"0 {}\n",
        lambda _own: b"0 []\n0 null\n0 7\n",
        lambda _own: b"0 " + b"[" * 100_000 + b"\n",
        lambda own: own.replace(b'"2026-', b'"never '),
        lambda own: own.replace(b'"target":', b'"gone":'),
    ],
    ids=[
        "empty", "octets", "half", "no number", "negative", "huge number", "of another", "no document",
        "no objects", "deep", "no time", "no target",
    ],
)  # fmt: skip
def test_a_line_of_ours_that_cannot_be_read_says_nothing(tmp_path, change):
    (tmp_path / OWN).write_bytes(
        change(b"0 " + json.dumps(line(measured(handshake(state())))).encode() + b"\n")
    )
    assert list(own_verdicts([tmp_path], GROUNDS, {(str(tmp_path), 0): "file"})) == []


def test_and_is_inconclusive(tmp_path):
    (found,) = altered(tmp_path, lambda own: own[: len(own) // 2])
    assert (found["outcome"], found["rule"], found["asks"]) == (
        "inconclusive",
        "archive.own_line_is_damaged",
        "",
    )
    assert {row["outcome"] for row in rows(tmp_path, "handshakes")} == {""}


def test_the_first_line_of_a_number_counts(tmp_path):
    first, second = (b"0 " + json.dumps(line(each)).encode() + b"\n" for each in SETTLED[:2])
    (tmp_path / OWN).write_bytes(first + second)
    (found,) = own_verdicts([tmp_path, tmp_path / "none"], GROUNDS, {(str(tmp_path), 0): "file"})
    assert columns(found) == told_by_judge(SETTLED[:1])[0]


def test_a_damaged_line_leaves_the_others_alone(tmp_path):
    later = measured(handshake(self_signed("b.test"), sni="b.test"), host="b.test")
    found = altered(
        tmp_path, lambda own: b"0 {\n" + own.partition(b"\n")[2], [measured(handshake(state())), later]
    )
    told = {row["uid"]: columns(row) for row in found}
    assert told["0"][0] == "inconclusive"
    assert told["1"] == told_by_judge([later])[0]


def test_a_line_for_a_measurement_that_is_not_ours_says_nothing(tmp_path):
    """Nobody's measurement is judged by a line that a stranger put beside it."""
    theirs = line(measured(handshake(state())), "theirs")
    theirs["test_keys"].pop("x_kzmitm")
    ours = measured(handshake(genuine("b.test"), sni="b.test"), host="b.test")
    write_lines(tmp_path / "read" / "x.jsonl", [theirs, line(ours, "ours")])
    extract([tmp_path / "read"], tmp_path)
    (part,) = parts_of(tmp_path / EXTRACT)
    own = (part / OWN).read_bytes()
    (part / OWN).write_bytes(own + b"0" + own[1:])
    judge(tmp_path, GROUNDS)
    found = by_uid(tmp_path)
    assert found["theirs"]["outcome"] == "interception"
    assert found["ours"]["outcome"] == "clean"


def test_a_handshake_that_is_not_there(tmp_path):
    """A line that tells of more handshakes than the part has rows."""
    long = measured(*[handshake(genuine(), Role.NO_SNI)] * 3, handshake(state()))
    found = altered(tmp_path, lambda _own: b"0 " + json.dumps(line(long)).encode() + b"\n")
    assert [row["outcome"] for row in found] == ["inconclusive"]


def test_when_it_was_measured_is_the_time_that_it_is_judged_at(tmp_path):
    """The leaf has expired by now; when it was measured it had not."""
    early = measured(handshake(genuine(start=NOW - timedelta(days=10), days=20)))
    analysis([line(early, "u")], tmp_path, GROUNDS)
    assert [row["outcome"] for row in rows(tmp_path)] == ["clean"]
