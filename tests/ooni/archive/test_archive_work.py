"""One task: files in, a part out, once; no file ends it."""

import gzip
import io
import json
import os
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from archive_samples import document, enveloped, row, sample, table

from kzmitm.ooni.archive import work
from kzmitm.ooni.archive.parts import MAX_PROBLEMS
from kzmitm.ooni.archive.planning import Source, Task, plan, sources_in
from kzmitm.ooni.archive.reading import MAX_DOCUMENT
from kzmitm.ooni.archive.rows import MAX_TEXT
from kzmitm.ooni.archive.work import extract, stdin_task
from kzmitm.ooni.decode import decode

LINE = json.dumps(document(tls_handshakes=[row()])).encode()


def extracted(tmp_path: Path, *paths: Path) -> tuple[dict[str, Any], Path]:
    (task,) = plan(sources_in(paths))
    return extract(task, str(tmp_path / "extract")), tmp_path / "extract" / task.id


def test_files_become_a_part(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINE + b"\nx\n" + LINE)
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(LINE)[:-4])
    told, part = extracted(tmp_path, tmp_path / "a.jsonl", tmp_path / "b.jsonl.gz")
    assert told["counts"]["measurements"] == 2
    assert told["octets"] == 2 * len(LINE) + len("x") + 3
    assert [(each["source"], each["line"]) for each in told["problems"]] == [
        ("a.jsonl", 2),
        ("b.jsonl.gz", 0),
    ]
    assert told["problems"][1]["why"] == "the compressed file ends too early"
    assert [each["name"] for each in told["sources"]] == ["a.jsonl", "b.jsonl.gz"]
    found = table(part, "measurements", "source, line, doc", order="doc")
    assert [tuple(each.values()) for each in found] == [("a.jsonl", 1, 0), ("a.jsonl", 3, 1)]


def test_a_task_is_done_once(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(LINE + b"\n" * 2000 + LINE)
    told, _ = extracted(tmp_path, path)
    # What lies between its ends is not looked at again.
    path.write_bytes(LINE + b"\n" * 999 + b"x" + b"\n" * 1000 + LINE)
    assert extracted(tmp_path, tmp_path / "a.jsonl")[0] == told


def test_a_file_that_cannot_be_read_is_a_problem_of_the_part(tmp_path):
    sources = (Source(str(tmp_path / "gone.jsonl"), "gone.jsonl", 5), Source(str(tmp_path), "folder", 5))
    (tmp_path / "a.jsonl").write_bytes(LINE)
    told = extract(Task("id", (*sources, *sources_in([tmp_path / "a.jsonl"]))), str(tmp_path / "extract"))
    assert [(each["source"], each["why"]) for each in told["problems"]] == [
        ("gone.jsonl", os.strerror(2)),
        ("folder", os.strerror(21)),
    ]
    assert told["counts"]["measurements"] == 1


def test_the_rest_of_a_file_that_holds_no_measurements_is_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr(work, "MAX_BAD", 300)
    few, many = b"x\n" * 299 + LINE + b"\n", b"{}\n" * 300 + LINE + b"\n"
    (tmp_path / "few.jsonl").write_bytes(few + few)
    (tmp_path / "many.jsonl").write_bytes(many)
    told, _ = extracted(tmp_path, tmp_path / "few.jsonl", tmp_path / "many.jsonl")
    assert (told["counts"]["measurements"], told["bad"]) == (2, 299 + 299 + 300 + 1)
    assert len(told["problems"]) == MAX_PROBLEMS + 1
    assert told["problems"][-1] == {
        "source": "many.jsonl",
        "line": 0,
        "why": "300 documents in a row are no measurements; the rest was passed over",
    }


def test_an_error_without_a_number_says_what_it_is(tmp_path, monkeypatch):
    class Closed:
        @property
        def buffer(self):
            raise OSError("stdin is closed")

    monkeypatch.setattr(sys, "stdin", Closed())
    told = extract(stdin_task(), str(tmp_path))
    assert told["problems"] == [{"source": "stdin", "line": 0, "why": "stdin is closed"}]


@pytest.mark.parametrize(
    "write", [bytes, gzip.compress, lambda line: enveloped(json.loads(line))], ids=["line", "gz", "post"]
)
def test_stdin_is_read(tmp_path, monkeypatch, write):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(write(LINE))))
    task = stdin_task()
    told = extract(task, str(tmp_path))
    assert (told["counts"]["measurements"], told["bad"]) == (1, 0)
    assert table(tmp_path / task.id, "measurements", "source") == [{"source": "stdin"}]


def test_each_stdin_is_another_task():
    assert stdin_task().id != stdin_task().id


def test_members_of_a_tar_file_are_named_by_both(tmp_path):
    with tarfile.open(tmp_path / "a.tar.gz", "w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in (("1.post", enveloped(json.loads(LINE))), ("қ" * 400, LINE), ("3.post", b"x")):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    told, part = extracted(tmp_path, tmp_path / "a.tar.gz")
    names = [each["source"] for each in table(part, "measurements", "source", order="doc")]
    assert names == ["a.tar.gz:1.post", ("a.tar.gz:" + "қ" * 400)[:MAX_TEXT]]
    assert [each["source"] for each in told["problems"]] == ["a.tar.gz:3.post"]


def test_a_file_whose_name_is_no_text_is_read(tmp_path):
    with open(os.fsencode(tmp_path) + b"/\xff\xfe.jsonl", "wb") as file:  # noqa: PTH123 - octets
        file.write(LINE + b"\nx")
    told, part = extracted(tmp_path, tmp_path)
    assert told["counts"]["measurements"] == told["bad"] == 1
    assert table(part, "measurements", "source") == [{"source": "??.jsonl"}]


HOSTILE = {
    "chain-of-thousands": document(tls_handshakes=[row(peer_certificates=[{"data": "QUFB"}] * 5000)]),
    "certificate-too-long": document(tls_handshakes=[row(peer_certificates=[{"data": "QUFB" * 200_000}])]),
    "many-handshakes": document(tls_handshakes=[row()] * 5000),
    "large-numbers": document(tls_handshakes=[row(transaction_id=2**70, t=1e300)])
    | {"probe_asn": "AS4294967295"},
    "deep-tags": document(tls_handshakes=[row(tags=["depth=255"])]),
    "texts": document(tls_handshakes=[row(server_name="\0\x01\ud7ff\uffff" * 200)]) | {"input": "\0" * 5000},
    "zone": document(tls_handshakes=[row(address="[fe80::1%\0\n']:443")])
    | {"input": "https://[fe80::1%\0\n']/"},
}


@pytest.mark.parametrize("made", HOSTILE.values(), ids=HOSTILE)
def test_no_document_ends_a_task(tmp_path, made):
    (tmp_path / "a.jsonl").write_bytes(json.dumps(made).encode() + b"\n" + LINE)
    told, part = extracted(tmp_path, tmp_path / "a.jsonl")
    assert told["counts"]["measurements"] == 2
    assert len(table(part, "handshakes")) == told["counts"]["handshakes"]


def test_a_line_longer_than_any_measurement_is_passed_over(tmp_path):
    """A sparse file: it takes no room, and its zeros are a line of that length."""
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.write(LINE + b"\n{")
        file.truncate(MAX_DOCUMENT + (1 << 20))
        file.seek(0, os.SEEK_END)
        file.write(b"}\n" + LINE)
    told, part = extracted(tmp_path, path)
    assert told["problems"] == [
        {"source": "a.jsonl", "line": 2, "why": "longer than any measurement; passed over"}
    ]
    assert [each["line"] for each in table(part, "measurements", "line", order="line")] == [1, 3]


def test_our_own_are_kept_so_that_they_can_be_decoded(tmp_path):
    own = sample() | {
        "test_keys": sample()["test_keys"]
        | {
            "x_kzmitm": {
                "format": "kzmitm.measurement/1.0",
                "target": {"hostname": "example.kz"},
                "started_at": "2026-01-02T03:04:05Z",
            }
        }
    }
    (tmp_path / "a.json").write_text(json.dumps(own, indent=2))
    _, part = extracted(tmp_path, tmp_path / "a.json")
    number, _, text = (part / "own.jsonl").read_text().partition(" ")
    assert number == "0"
    assert decode(json.loads(text)) == decode(own)
