"""Files as octets and as JSON documents: packed, cut off, endless, and what is no JSON."""

import gzip
import io
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kzmitm.ooni import import_json, import_source
from kzmitm.ooni.import_json import Document, documents
from kzmitm.ooni.import_source import Source
from kzmitm.ooni.importing import Problem


class Pipe:
    """Gives a few octets at a time, as pipes do."""

    def __init__(self, octets, *, fails=False):
        self._file = io.BytesIO(octets)
        self._fails = fails

    def read(self, size):
        octets = self._file.read(min(size, 3))
        if not octets and self._fails:
            raise OSError(5, "Input/output error")
        return octets


def source(octets):
    return Source(io.BytesIO(octets), "f")


def whole(octets):
    found = Source(Pipe(octets), "f")
    return found.readall(), found.damage


TEXT = b"x" * 200_000 + b"y"


def test_plain_and_packed_files():
    assert whole(b"") == (b"", "")
    assert whole(b"\x1f\x8b") == (b"\x1f\x8b", "")
    assert whole(TEXT) == (TEXT, "")
    packed = gzip.compress(TEXT)
    assert whole(packed) == (TEXT, "")
    assert whole(packed + gzip.compress(b"z")) == (TEXT + b"z", "")
    assert whole(packed + bytes(512)) == (TEXT, "")
    assert whole(gzip.compress(b"")) == (b"", "")
    assert source(packed).head == TEXT[: import_source.HEAD]
    assert source(packed).readable()


def test_damaged_files():
    packed = gzip.compress(TEXT)
    assert whole(packed[:-20])[1] == "the file is cut off"
    assert whole(packed[:12]) == (b"", "the file is cut off")
    assert whole(packed + b"junk")[1] == "the rest of the file cannot be unpacked"
    assert whole(b"\x1f\x8b\x08" + bytes(50)) == (b"", "the rest of the file cannot be unpacked")
    found = Source(Pipe(b"abc", fails=True), "f")
    assert found.readall() == b"abc"
    assert found.damage == "the file cannot be read to its end: Input/output error"


def test_a_bomb_is_unpacked_piece_by_piece():
    bomb = gzip.compress(bytes(50 << 20))
    found = source(bomb)
    assert len(found.head) <= 2 * import_source.HEAD
    pieces = iter(lambda: found.read(import_source.CHUNK), b"")
    assert sum(map(len, pieces)) == 50 << 20


def parsed(octets, **more):
    return list(documents(source(octets), **more))


A, B = {"a": 1, "s": '}{"\\'}, {"b": [{"c": []}]}
FORMS = {
    "lines": lambda rows: "".join(json.dumps(row) + "\n" for row in rows),
    "lines with blanks": lambda rows: "\ufeff\n" + "\r\n \n".join(map(json.dumps, rows)),
    "list": json.dumps,
    "pretty list": lambda rows: json.dumps(rows, indent=2),
    "a row on each line of a list": lambda rows: "[" + ",\n".join(map(json.dumps, rows)) + "]\n",
    "pretty objects": lambda rows: "\n".join(json.dumps(row, indent=2) for row in rows),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    text = FORMS[form]([A, B, A])
    found = parsed(text.encode())
    assert [each.value for each in found] == [A, B, A]
    lines = [each.line for each in found]
    assert all(a <= b for a, b in pairwise(lines))
    for each in found:
        line = text.split("\n")[each.line - 1]
        assert "{" in line


ROWS = st.lists(
    st.dictionaries(
        st.text(max_size=5),
        st.recursive(
            st.none() | st.text(max_size=8) | st.integers(-5, 5),
            lambda x: st.lists(x, max_size=3),
            max_leaves=4,
        ),
        max_size=3,
    ),
    max_size=5,
)


@given(rows=ROWS, form=st.sampled_from(list(FORMS)), ascii_only=st.booleans(), chunk=st.integers(1, 40))
def test_rows_come_back_however_they_are_written(rows, form, ascii_only, chunk):
    text = FORMS[form](rows)
    octets = text.encode() if ascii_only else text.encode("utf-8")

    class Dribble(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, chunk) if size > 0 else size)

    found = list(documents(Source(Dribble(octets), "f")))
    assert [each.value for each in found if isinstance(each, Document)] == rows


def test_blank_lines_are_passed_over_together():
    """A packed file of a megabyte may hold a thousand million of them, and each line takes its time."""

    class Counted(io.BufferedReader):
        lines = 0

        def readline(self, size=-1):
            Counted.lines += 1
            return super().readline(size)

    text = b"{}\n" + b"\r\n \n" * 30_000 + b" {}\n\n"
    with Counted(io.BytesIO(text)) as file:
        assert list(import_json._lines(file, 100)) == [(1, b"{}\n"), (60_002, b" {}\n")]
    assert Counted.lines < 100


def test_the_splitter_reads_piece_by_piece(monkeypatch):
    monkeypatch.setattr(import_json, "CHUNK", 7)
    text = json.dumps([A, B, {"long": "x" * 100, "y": '\\"'}, A], indent=1)
    assert [each.value for each in parsed(text.encode())] == [A, B, {"long": "x" * 100, "y": '\\"'}, A]


def test_long_records_are_passed_over(monkeypatch):
    monkeypatch.setattr(import_json, "CHUNK", 64)
    monkeypatch.setattr(import_source, "CHUNK", 64)
    long = {"x": ["y" * 30] * 50}
    limit = 1000
    rows = [A, long, B]
    problem = Problem("f:2", "longer than 0 MiB")
    lines = FORMS["lines"](rows).encode()
    assert parsed(lines, limit=limit) == [Document(1, A), problem, Document(3, B)]
    listed = FORMS["a row on each line of a list"](rows).encode()
    assert parsed(listed, limit=limit) == [Document(1, A), problem, Document(3, B)]
    assert parsed(lines[:-10] + b"z" * 2000, limit=limit)[-1] == Problem("f:3", "longer than 0 MiB")
    assert parsed(b'[{"a": "' + b"z" * 5000, limit=limit) == [Problem("f:1", "longer than 0 MiB")]
    assert parsed(b'["' + b"z" * 5000, limit=limit) == []
    assert parsed(b'[{"a": [' + b"[" * 5000, limit=limit) == [Problem("f:1", "longer than 0 MiB")]
    assert parsed(b'[{"a": [' + b"1," * 2000 + b"1]}, " + json.dumps(B).encode() + b"]", limit=limit) == [
        Problem("f:1", "longer than 0 MiB"),
        Document(1, B),
    ]


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b'{"a": tru}', "not JSON: Expecting value"),
        (b'{"a": NaN}', "not JSON: NaN"),
        (b'{"a": 1', "not JSON: Expecting ',' delimiter"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"a": [' + b"1," * 100_000 + b"1]}", "more values than its length allows"),
        (b'{"a": ' + b"1" * 5000 + b"}", "Exceeds the limit"),
    ],
)
def test_what_is_no_json(octets, why):
    (problem,) = parsed(octets)
    assert problem.where == "f:1"
    assert problem.why.startswith(why)


def test_commas_in_texts_are_no_values():
    assert parsed(json.dumps({"a": "," * 100_000}).encode()) == [Document(1, {"a": "," * 100_000})]


def test_documents_that_are_no_objects():
    assert parsed(b"[1, 2]\n") == []
    assert parsed(b"1\n") == [Problem("f:1", "not a JSON object")]
    assert parsed(b"hello\n{}\n") == [Problem("f:1", "not JSON: Expecting value"), Document(2, {})]
    assert parsed(b'{"a": 1}\n[2]\n') == [Document(1, {"a": 1}), Problem("f:2", "not a JSON object")]


def test_one_broken_line_costs_no_other():
    assert parsed(b'{"a": 1}\n{"a": "\n{"a": 2}\n') == [
        Document(1, {"a": 1}),
        Problem("f:2", "not JSON: Invalid control character at"),
        Document(3, {"a": 2}),
    ]
    assert parsed(b'{"a": "\n{"a": 2}\n')[1] == Document(2, {"a": 2})


def test_damage_is_told_at_the_end():
    packed = gzip.compress(b'{"a": 1}\n' * 50_000)
    *found, problem = parsed(packed[:-30])
    assert problem == Problem("f", "the file is cut off")
    assert len(found) > 1000
