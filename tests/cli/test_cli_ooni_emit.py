"""ooni emit as its users call it: lines that OONI's tools take, and nothing that is only the owner's."""

import json
import zipfile

import pytest
from cli_bundles import HEADER, NOON, write
from jsonschema import Draft202012Validator
from ooni_bundles import row, scan

from kzmitm.cli.ooni import outgoing
from kzmitm.evidence.schema import schema_text
from kzmitm.model.target import Vantage

SCHEMA = Draft202012Validator(json.loads(schema_text("measurement")))
SALT = {"salt": "0" * 32}


@pytest.fixture
def bundle(tmp_path):
    return scan(tmp_path / "b.zip")


def lines(text):
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_every_measurement_is_a_line(kzmitm, bundle):
    ended = kzmitm("ooni", "emit", bundle)
    assert (ended.code, ended.err) == (0, "")
    told = lines(ended.out)
    assert [line["input"] for line in told] == [f"tlshandshake://{name}.test:443" for name in "abc"]
    for line in told:
        assert line["report_id"] == ""
        assert line["probe_ip"] == "127.0.0.1"
        assert (line["probe_asn"], line["probe_cc"]) == ("AS9198", "KZ")
        assert "salt" not in line["annotations"]
        # Our own schema demands the salt of a bundle, which must not get out.
        SCHEMA.validate({**line, "annotations": line["annotations"] | SALT})
    assert "192.168.1.1" not in ended.out


def test_into_a_file_from_a_folder(kzmitm, bundle, tmp_path):
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")
    [folder] = (tmp_path / "unpacked").iterdir()
    ended = kzmitm("ooni", "emit", folder, "--out", tmp_path / "scan.jsonl")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == f"written: {tmp_path / 'scan.jsonl'}, 3 measurements\n"
    assert (tmp_path / "scan.jsonl").read_text() == kzmitm("ooni", "emit", bundle).out
    again = kzmitm("ooni", "emit", folder, "--out", tmp_path / "scan.jsonl")
    assert again.code == 2
    assert "exists already" in again.err


def test_what_was_emitted_can_be_emitted_again(kzmitm, bundle, tmp_path):
    kzmitm("ooni", "emit", bundle, "--out", tmp_path / "1.jsonl")
    assert kzmitm("ooni", "emit", tmp_path / "1.jsonl").out == (tmp_path / "1.jsonl").read_text()


def test_without_the_network(kzmitm, bundle):
    ended = kzmitm("ooni", "emit", bundle, "--anonymous-network")
    assert ended.code == 0
    assert "9198" not in ended.out
    assert "Kazakhtelecom" not in ended.out
    assert {line["probe_asn"] for line in lines(ended.out)} == {"AS0"}


def test_an_unknown_network_is_said(kzmitm, tmp_path):
    ended = kzmitm("ooni", "emit", scan(tmp_path / "b.zip", vantage=Vantage()))
    assert ended.code == 0
    assert "of 3 measurements is unknown" in ended.err
    assert "--probe-asn" in ended.err


def test_a_measurement_that_is_too_long_is_named_and_left_out(kzmitm, tmp_path):
    rows = [row("a.test"), row("long.test", chain=(bytes(700_000),)), row("c.test")]
    bundle = write(tmp_path / "b.zip", rows, header=HEADER, finished_at=NOON)
    ended = kzmitm("ooni", "emit", bundle)
    assert ended.code == 3
    assert [line["input"] for line in lines(ended.out)] == [
        "tlshandshake://a.test:443",
        "tlshandshake://c.test:443",
    ]
    assert "left out: measurement 2 (long.test:443) has 93" in ended.err
    assert "and 800000 are taken" in ended.err


def test_lines_of_just_the_length_are_taken(kzmitm, bundle, monkeypatch):
    longest = max(len(line) + 1 for line in kzmitm("ooni", "emit", bundle).out.splitlines())
    monkeypatch.setattr(outgoing, "MAX_LINE", longest)
    assert kzmitm("ooni", "emit", bundle).code == 0
    monkeypatch.setattr(outgoing, "MAX_LINE", longest - 1)
    assert kzmitm("ooni", "emit", bundle).code == 3


@pytest.mark.parametrize(("level", "code"), [("public", 2), ("partner", 0)])
def test_measurements_that_were_withheld(kzmitm, bundle, tmp_path, level, code):
    kzmitm("share", bundle, "--level", level, "--out", tmp_path / "shared.zip")
    out = tmp_path / "x.jsonl"
    ended = kzmitm("ooni", "emit", tmp_path / "shared.zip", "--out", out)
    assert ended.code == code
    assert out.exists() is not bool(code)
    if code:
        assert "its measurements were left out" in ended.err
        assert ended.err.count("\n") == 1
        assert not list(tmp_path.glob(".part-*"))


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"{}\n", b"[]\n", b"\xff\n", b"{" * 100_000, b'{"a":1,"a":2}\n']
)
def test_what_is_no_result(kzmitm, tmp_path, content):
    path = tmp_path / "x.zip"
    path.write_bytes(content)
    ended = kzmitm("ooni", "emit", path, "--out", tmp_path / "out.jsonl")
    if content:
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert not (tmp_path / "out.jsonl").exists()
    assert kzmitm("ooni", "emit", tmp_path / "absent").code == 2
    assert kzmitm("ooni", "emit", "").code == 2


def test_an_altered_bundle_is_not_given_on(kzmitm, bundle, tmp_path):
    octets = bytearray(bundle.read_bytes())
    octets[len(octets) // 2] ^= 1
    bundle.write_bytes(octets)
    assert kzmitm("ooni", "emit", bundle).code in (1, 2)
