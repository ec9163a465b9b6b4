"""A result read again: the same words and the same exit code, whoever wrote the bundle."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from cli_bundles import files_of, resign, scan_of, with_document, write
from jsonschema import Draft202012Validator

from kzmitm.evidence import layout
from kzmitm.evidence.scan_document import ScanHeader
from kzmitm.evidence.schema import schema_names, schema_text
from kzmitm.model.certificate import Certificate, Name, NameAttribute, PublicKey
from kzmitm.model.measurement import Measurement
from kzmitm.model.observation import Hello, TLSObservation
from kzmitm.model.target import Endpoint, Target, Vantage
from kzmitm.model.verdict import Authority, Cause, Confidence, Outcome, RuledOut, Scope, Verdict

GOLDEN = Path(__file__).parents[1] / "golden" / "cli"
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
STORE = SimpleNamespace(name="certifi", version="2026.1.1", date="2026-01-01", sha256="ab" * 32)
STATE = Authority(
    "kz-qaznet", "Qaznet Trust Network", "state_interception", "signature", "key:" + "2e" * 32, "KZ"
)
FORGED = Verdict(
    outcome=Outcome.INTERCEPTION,
    confidence=Confidence.CONFIRMED,
    scope=Scope.STATE,
    authority=STATE,
    rule_ids=("artefact.known_key",),
    ruled_out=(RuledOut(Cause.CLOCK, "not_a_time_failure"),),
    rules_version="1",
    registry_version="0123456789abcdef",
    store_version="2026.1.1",
)


def verdict(outcome):
    return Verdict(
        outcome=outcome, confidence=None, rules_version="1", registry_version="r", store_version="s"
    )


def certificate(name):
    subject = Name(b"", (NameAttribute("2.5.4.3", name),))
    key = PublicKey(kind="rsa", bits=2048, spki_sha256="1e" * 32)
    return Certificate(der=b"\x30\x00", sha256="1c" * 32, sha1="", subject=subject, public_key=key)


def measured(hostname, *, failure=None, chain=(b"\x30\x00",)):
    handshake = TLSObservation(
        endpoint=Endpoint("192.0.2.7", 443),
        sni=hostname,
        hello=Hello("small"),
        presented_chain=() if failure else chain,
        failure=failure,
    )
    return Measurement(target=Target(hostname), vantage=Vantage(), started_at=NOON, tls=(handshake,))


def write_bundle(path, rows, *, complete=True, finish=True):
    header = ScanHeader(started_at=NOON, rules_version="1", registry_version="0123456789abcdef", store=STORE)
    return write(path, rows, header=header, complete=complete, finished_at=NOON if finish else None)


CLEAN = (measured("news.test"), verdict(Outcome.CLEAN), (certificate("news.test"),))
CAUGHT = (measured("video.test"), FORGED, (certificate("video.test"),))
DOUBTFUL = (measured("odd.test"), verdict(Outcome.INCONCLUSIVE), (certificate("odd.test"),))
DOWN = (measured("gone.test", failure="connection_refused"), verdict(Outcome.UNREACHABLE), ())
PORTAL = (measured("a.test"), verdict(Outcome.CAPTIVE_PORTAL), (certificate("login.test"),))
ODD = (measured("b.test"), verdict(Outcome.TRUSTED_UNEXPECTED), (certificate("b.test"),))


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([CLEAN], 0),
        ([CLEAN, DOWN], 0),
        ([CLEAN, CAUGHT, DOUBTFUL], 1),
        ([CLEAN, DOUBTFUL], 3),
        ([CLEAN, PORTAL], 3),
        ([CLEAN, ODD], 3),
        ([DOWN], 3),
    ],
)
def test_the_exit_code_is_that_of_the_scan(rows, code, kzmitm, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", rows)
    assert kzmitm("show", folder).code == code
    assert kzmitm("show", folder, "--json").code == code


def test_a_scan_that_was_stopped_is_no_all_clear(kzmitm, tmp_path):
    shown = kzmitm("show", write_bundle(tmp_path / "b.zip", [CLEAN], complete=False))
    assert shown.code == 3
    assert "stopped before its end" in shown.out


def test_what_has_no_measurement_is_not_judged_in_silence(kzmitm, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT])
    files = files_of(folder)
    files[layout.MEASUREMENTS.path] = files[layout.MEASUREMENTS.path].splitlines(keepends=True)[0]
    resign(folder, files)
    again = kzmitm("judge", folder)
    assert again.code == 3
    assert "1 of 2 targets could not be judged again: its measurement is missing" in again.err
    files[layout.MEASUREMENTS.path] = b""
    again = kzmitm("judge", resign(folder, files))
    assert "2 of 2 targets could not be judged again: their measurements are missing" in again.err


def test_a_scan_that_was_killed_can_be_shown(kzmitm, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT], finish=False)
    shown = kzmitm("show", folder)
    assert shown.code == 1
    assert "2 targets: 1 interception, 1 clean" in shown.out
    assert kzmitm("show", folder, "--json").json["summary"]["interception"] == 1


def test_golden_show(kzmitm, tmp_path):
    shown = kzmitm("show", write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT, DOUBTFUL, DOWN]))
    path = GOLDEN / "show.txt"
    if os.environ.get("KZMITM_GOLDEN") == "write":
        path.write_text(shown.out, encoding="utf-8", newline="\n")
    assert shown.out == path.read_text(encoding="utf-8")
    assert shown.err == ""


def test_the_document_is_valid_and_begins_with_its_schema(kzmitm, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT])
    shown = kzmitm("show", folder, "--json")
    Draft202012Validator(json.loads(schema_text("scan"))).validate(shown.json)
    assert list(shown.json)[:2] == ["schema", "version"]
    assert shown.json["bundle"] == str(folder)


def test_the_document_of_a_reduced_result_is_valid_and_names_no_path(kzmitm, tmp_path):
    whole, reduced = write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT]), tmp_path / "reduced.zip"
    assert kzmitm("share", whole, "--level", "public", "--out", reduced).code == 0
    shown = kzmitm("show", reduced, "--json").json
    Draft202012Validator(json.loads(schema_text("scan"))).validate(shown)
    assert shown["bundle"] is None


@pytest.mark.parametrize("name", schema_names())
def test_the_schema_is_shown(name, kzmitm):
    shown = kzmitm("schema", name)
    assert shown.json["title"] == f"kzmitm.{name}/1.0"
    assert name in kzmitm("schema").out.split()
    assert shown.code == 0
    Draft202012Validator.check_schema(shown.json)


def test_one_target_is_explained_even_if_clean(kzmitm, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT])
    shown = kzmitm("show", folder, "news.test")
    assert shown.code == 0
    assert "It does not prove" in shown.out
    assert "video.test" not in shown.out
    assert [row["target"] for row in kzmitm("show", folder, "news.test", "--json").json["targets"]] == [
        "news.test"
    ]
    missing = kzmitm("show", folder, "nobody.test")
    assert (missing.code, missing.out, missing.err.count("\n")) == (2, "", 1)


EVIL = "\x1b]0;owned\x07\x1b[2J\u202egpj.exe\u2028CLEAN \x9b31m\u200b"


@pytest.mark.parametrize("options", [("video.test",), ("--json",)])
def test_a_hostile_name_moves_nothing(options, kzmitm, tmp_path):
    row = (measured("video.test"), FORGED, (certificate(EVIL),))
    shown = kzmitm("show", write_bundle(tmp_path / "b.zip", [row]), *options)
    assert shown.code == 1
    assert not set(shown.out) & set("\x1b\x07\u202e\u2028\x9b\u200b\x7f")
    assert "owned" in shown.out


@pytest.mark.parametrize(
    "damage",
    [
        {"schema": "kzmitm.scan/9.0"},
        {"schema": 7},
        {"targets": {}},
        {"targets": [7]},
        {"targets": [{"outcome": "fine"}]},
        {"targets": [{}]},
        {"store": None},
        {"rules_version": None},
        {"started_at": []},
        {"complete": "yes"},
    ],
    ids=str,
)
def test_a_damaged_bundle_gets_one_line(damage, kzmitm, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CLEAN])
    with_document(folder, scan_of(folder) | damage)
    shown = kzmitm("show", folder)
    assert shown.code == 2, shown
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize(
    "row",
    [
        {"target": 7, "chain": 7, "handshake": 7},
        {
            "target": None,
            "chain": [7, {}, {"subject": [], "sha256": 1, "spki_sha256": 1}],
            "handshake": {"failure": 1},
        },
    ],
)
def test_a_row_of_the_wrong_types_is_shown_as_far_as_it_goes(row, kzmitm, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CAUGHT])
    document = scan_of(folder)
    document["targets"][0] |= row
    with_document(folder, document)
    assert kzmitm("show", folder).code == 1


def test_plain_where_nobody_looks_and_coloured_where_somebody_does(terminal, process, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT])
    _code, out, _err = process("show", folder, TERM="xterm-256color", FORCE_COLOR="1")
    assert b"\x1b" not in out
    assert "\x1b[1;31mINTERCEPTION" in terminal("show", folder)[1]
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        code, seen = terminal("show", folder, **environment)
        assert code == 1
        assert "\x1b" not in seen
        assert "INTERCEPTION  video.test" in seen


def test_a_heading_that_is_broken_is_bold_to_its_end(terminal, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CLEAN, CAUGHT, CAUGHT])
    _code, shown = terminal("--lang", "kk", "show", folder, COLUMNS="40")
    assert "\x1b[1mЕң ауыр анықталған жайт,\x1b[0m\n\x1b[1m  түсіндірмесімен:\x1b[0m\n" in shown


def test_a_narrow_terminal_breaks_lines_at_words_and_no_hash(terminal, tmp_path):
    folder = write_bundle(tmp_path / "b.zip", [CAUGHT])
    _code, seen = terminal("show", folder, "video.test", COLUMNS="60", NO_COLOR="1")
    lines = seen.splitlines()
    assert all(len(line) <= 60 or "SHA-256" in line or len(line.split()) == 1 for line in lines)
    assert any("1c" * 32 in line for line in lines)
