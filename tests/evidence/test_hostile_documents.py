"""Documents that are validly signed and say what no reader must take: each ends in a problem, not a crash."""

import base64
import copy
import itertools
import json
import time
import tracemalloc
from functools import cache, partial

import pytest
from bundle_samples import (
    CASES,
    ENVIRONMENT,
    INTERCEPTED_HANDSHAKES,
    MEASUREMENTS,
    NOBODY,
    NOW,
    OTHER_HANDSHAKES,
    PARTNER,
    PUBLIC,
    authority,
    chain,
    found,
    payload,
    resign,
    verify_octets,
)
from fuzz_bundle import Memory

from kzmitm.evidence.container import Container
from kzmitm.evidence.scan_reader import MAX_FRAME, MAX_ROW
from kzmitm.evidence.verification.document_check import examine_documents
from kzmitm.evidence.verification.verify import verify_bundle

MAX_MEMORY = 64 << 20
JUNK = (None, "", 0, [], {}, True)
SMALL = 2
"""Targets of the bundle whose every value is replaced; the second is intercepted."""
PARTS = 6


def dumps(value) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def split(octets: bytes):
    """(frame, rows) of a document."""
    frame = json.loads(octets)
    return frame, frame.pop("targets")


def join(frame, rows) -> bytes:
    """A document in the program's form: each row a line."""
    text = dumps({**frame, "targets": "@"})
    lines = "[\n" + ",\n".join(map(dumps, rows)) + "\n]" if rows else "[]"
    return text.replace('"targets":"@"', '"targets":' + lines).encode() + b"\n"


def lines_of(octets: bytes) -> list:
    return [json.loads(line) for line in octets.splitlines()]


def as_lines(values) -> bytes:
    return "".join(dumps(each) + "\n" for each in values).encode()


def with_files(count: int = len(CASES), **files) -> bytes:
    """A signed bundle with some files of the sample replaced, or left out (None)."""
    return resign(files_with(count, **files))


def files_with(count: int, **files) -> dict[str, bytes]:
    out = {**payload(count), **{path(name): octets for name, octets in files.items()}}
    return {name: octets for name, octets in out.items() if octets is not None}


def path(name: str) -> str:
    return {
        "public": PUBLIC,
        "partner": PARTNER,
        "measurements": MEASUREMENTS,
        "environment": ENVIRONMENT,
    }.get(name, name)


def codes(folder, octets: bytes) -> list[str]:
    """The problems' codes, without doubles."""
    return list(dict.fromkeys(code for code, _ in found(verify_octets(folder, octets))))


def test_the_samples_are_as_the_program_writes_them(tmp_path):
    seen = verify_octets(tmp_path, with_files())
    assert found(seen) == []
    assert (seen.proof.intercepted_proven, seen.proof.others_proven) == (
        INTERCEPTED_HANDSHAKES,
        OTHER_HANDSHAKES,
    )
    for name in (PUBLIC, PARTNER):
        again = join(*split(payload()[name]))
        assert json.loads(again) == json.loads(payload()[name])
        assert codes(tmp_path, with_files(**{name: again})) == []


# --- JSON that means two things, or harms who reads it


def _in_frame(member: str) -> bytes:
    return payload()[PUBLIC].replace(b'"week":', b'"extra":' + member.encode() + b',"week":', 1)


def _in_row(member: str) -> bytes:
    return payload()[PUBLIC].replace(b'"undecided":', b'"extra":' + member.encode() + b',"undecided":', 1)


def _in_environment(member: str) -> bytes:
    return payload()[ENVIRONMENT].replace(b'"system":', b'"extra":' + member.encode() + b',"system":', 1)


def _in_line(member: str) -> bytes:
    return payload()[MEASUREMENTS].replace(
        b'"test_keys":', b'"extra":' + member.encode() + b',"test_keys":', 1
    )


PLACES = {
    PUBLIC: (_in_frame, _in_row),
    ENVIRONMENT: (_in_environment,),
    MEASUREMENTS: (_in_line,),
}
VALUES = {
    "duplicate key": ('{"a":1,"a":1}', "json_duplicate_key"),
    "duplicate key, escaped": ('{"a":1,"\\u0061":1}', "json_duplicate_key"),
    "NaN": ("NaN", "json_number"),
    "Infinity": ("Infinity", "json_number"),
    "-Infinity": ("-Infinity", "json_number"),
    "1e999": ("1e999", "json_number"),
    "5000 digits": ("9" * 5000, "json_number"),
    "20 digits": ("9" * 20, "json_number"),
    "hex": ("0x10", "json_syntax"),
    "leading zero": ("01", "json_syntax"),
    "comment": ("1/**/", "json_syntax"),
    "single quotes": ("'a'", "json_syntax"),
    "trailing comma": ("[1,]", "json_syntax"),
    "open": ('"a', "json_syntax"),
    "raw newline": ('"a\nb"', "json_syntax"),
    "raw control character": ('"a\x1b[2Jb"', "json_syntax"),
    "200,000 deep": ("[" * 200_000 + "]" * 200_000, "json_depth"),
    "200,000 deep, open": ("[" * 200_000, "json_depth"),
    "100,000 objects deep": ('{"a":' * 100_000 + "1" + "}" * 100_000, "json_depth"),
    "33 deep": ("[" * 33 + "]" * 33, "json_depth"),
    "half a pair": ('"\\ud800"', "json_text"),
    "the other half": ('"\\udc00"', "json_text"),
    "halves in the wrong order": ('"\\udc00\\ud800"', "json_text"),
    "half a pair as key": ('{"\\ud800":1}', "json_text"),
}
PLAIN_ONLY = {
    "fraction": ("1.5", "json_number"),
    "exponent": ("1e2", "json_number"),
    "raw bidi": ('"a\u202eb"', "json_text"),
    "raw isolate": ('"a\u2066b"', "json_text"),
    "raw zero width": ('"a\u200bb"', "json_text"),
    "raw line separator": ('"a\u2028b"', "json_text"),
    "raw C1": ('"a\u009bb"', "json_text"),
    "raw DEL": ('"a\u007fb"', "json_text"),
    "BOM inside": ('"a\ufeffb"', "json_text"),
}
"""Refused in our own documents; a measurement has fractions."""
JSON_CASES = [
    (name, number, key)
    for name, places in PLACES.items()
    for number in range(len(places))
    for key in (VALUES if name == MEASUREMENTS else {**VALUES, **PLAIN_ONLY})
]


@pytest.mark.parametrize(("name", "number", "key"), JSON_CASES)
def test_json_that_is_none(name, number, key, tmp_path):
    text, code = {**VALUES, **PLAIN_ONLY}[key]
    seen = found(verify_octets(tmp_path, with_files(**{name: PLACES[name][number](text)})))
    if key == "raw newline" and name in (PUBLIC, MEASUREMENTS):
        assert {each for each, _ in seen} <= {"json_syntax", "documents_disagree"}
        return
    assert code in {each for each, _ in seen}
    assert all(each in {code, "documents_disagree"} for each, _ in seen)
    assert any(file.startswith(name) for _, file in seen)


@pytest.mark.parametrize("name", [PUBLIC, PARTNER, ENVIRONMENT, MEASUREMENTS])
@pytest.mark.parametrize(
    "change",
    [
        lambda octets: b"\xef\xbb\xbf" + octets,
        lambda octets: octets.decode().encode("utf-16"),
        lambda octets: octets.replace(b"example", b"ex\xffmple", 1).replace(b"Linux", b"L\xffnux"),
        lambda octets: octets.replace(b"example", b"ex\xc0\xafmple", 1).replace(b"Linux", b"L\xc0\xafnux"),
        lambda octets: octets.replace(b"example", b"ex\xed\xa0\x80mple", 1).replace(
            b"Linux", b"L\xed\xa0\x80"
        ),
        lambda _octets: b"",
        lambda _octets: b"\n",
        lambda _octets: b"\0" * 100,
        lambda _octets: b"[]\n",
        lambda _octets: b"1\n",
        lambda _octets: b'"text"\n',
        lambda _octets: b"null\n",
        lambda _octets: b"{}\n",
        lambda _octets: b"[" * 100_000,
        lambda octets: octets[: len(octets) // 2],
        lambda octets: octets[:-1] + b"evil",
        lambda octets: octets + b"evil",
        lambda octets: octets + octets,
        lambda octets: octets.rstrip() + b",\n",
        lambda octets: octets.rstrip(),
        lambda octets: b" " + octets,
        lambda octets: octets.replace(b"\n", b"\r\n"),
    ],
    ids=[
        "BOM",
        "UTF-16",
        "no UTF-8",
        "overlong",
        "surrogates",
        "empty",
        "a newline",
        "NUL",
        "list",
        "number",
        "text",
        "null",
        "object",
        "brackets",
        "half",
        "evil end",
        "evil behind",
        "twice",
        "a comma behind",
        "no newline",
        "blank before",
        "line ends of Windows",
    ],
)
def test_a_document_that_is_none(name, change, tmp_path, request):
    kind = request.node.callspec.id
    seen = verify_octets(tmp_path, with_files(**{name: change(payload()[name])}))
    # Blanks around a document are JSON; a document has them or not.
    harmless = ("blank before", "line ends of Windows", *(() if name == MEASUREMENTS else ("no newline",)))
    if kind.startswith(harmless):
        assert all(code in ("json_syntax", "documents_disagree") for code, _ in found(seen))
    else:
        assert not seen.is_unaltered
        assert any(file.startswith((name, PUBLIC)) for _, file in found(seen))


# --- rows that other readers find elsewhere


def _frame_and_rows():
    octets = payload()[PUBLIC].decode()
    head, _, rest = octets.partition('"targets":[\n')
    rows, _, tail = rest.rpartition("\n]")
    return head, rows, tail


@pytest.mark.parametrize(
    "make",
    [
        lambda head, rows, tail: head + '"tail":{"targets":[\n' + rows + '\n]},"targets":[]' + tail,
        lambda head, rows, tail: (
            head.replace('"options":{', '"options":{"targets":[\n' + rows + "\n],") + '"targets":[]' + tail
        ),
        lambda head, rows, tail: head + '"a\\"targets":[\n' + rows + '\n],"targets":[]' + tail,
        lambda head, rows, tail: head + '"targets":[],"a\\"targets":[\n' + rows + "\n]" + tail,
        lambda head, rows, tail: head + '"targets":[[\n' + rows + "\n]]" + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows + '\n],"targets":[]' + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows + '\n],"\\u0074argets":[]' + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows + ",\n]" + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows + "\n\n]" + tail,
        lambda head, rows, tail: head + '"targets":[\n\n' + rows + "\n]" + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows.replace("},\n{", "}\n{") + "\n]" + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows.replace("},\n{", "},{") + "\n]" + tail,
        lambda head, rows, tail: head + '"targets":[' + rows + "\n]" + tail,
        lambda head, rows, tail: head + '"targets": [\n' + rows + "\n]" + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows + "]" + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows + "\n" + tail,
        lambda head, rows, _tail: head + '"targets":[\n' + rows + "\n]",
        lambda head, rows, tail: head + '"targets":{\n' + rows + "\n}" + tail,
        lambda head, rows, tail: head + '"targets":[\n' + rows + "\n]" + tail + "\n",
        lambda head, rows, tail: head + '"targets":[\n' + rows + "\n]" + tail + "{}",
        lambda head, _rows, tail: head + '"targets":null' + tail,
        lambda head, _rows, tail: head + '"x":1' + tail,
    ],
    ids=[
        "in another object",
        "in the options",
        "under another key",
        "under another key behind",
        "a list too many",
        "twice",
        "twice, escaped",
        "comma at the end",
        "empty line at the end",
        "empty line at the beginning",
        "no commas",
        "two rows in a line",
        "a row in the line of the frame",
        "a blank before",
        "the bracket in the line of a row",
        "no bracket",
        "no end",
        "an object",
        "a newline more",
        "an object behind",
        "null",
        "none",
    ],
)
def test_rows_in_no_form_of_ours(make, tmp_path):
    octets = make(*_frame_and_rows()).encode()
    seen = found(verify_octets(tmp_path, with_files(public=octets)))
    assert seen
    assert all(file.startswith(PUBLIC) for _, file in seen)


# --- every value replaced


def walk(value, at=()):
    """The way to every value in a document."""
    yield at
    if isinstance(value, dict):
        for key in value:
            yield from walk(value[key], (*at, key))
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from walk(item, (*at, i))


def replaced(value, at, junk):
    out = copy.deepcopy(value)
    if not at:
        return junk
    inner = out
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = junk
    return out


def removed(value, at):
    out = copy.deepcopy(value)
    inner = out
    for key in at[:-1]:
        inner = inner[key]
    del inner[at[-1]]
    return out


def _variants(value):
    """(description, what makes the document): each value replaced by each of JUNK, each member taken out."""
    for at in walk(value):
        for junk in JUNK:
            yield f"{at} = {junk!r}", partial(replaced, value, at, junk)
        if at:
            yield f"{at} gone", partial(removed, value, at)


@cache
def _small():
    public, partner = split(payload(SMALL)[PUBLIC]), split(payload(SMALL)[PARTNER])
    return public, partner, lines_of(payload(SMALL)[MEASUREMENTS])


def _join_any(frame, rows) -> bytes:
    return join(frame, rows) if isinstance(frame, dict) else dumps(frame).encode()


def _documents():
    """(what, what makes its files) of each document with one value replaced."""
    (frame, rows), (partner_frame, partner_rows), lines = _small()
    for what, make in _variants(frame):
        yield f"public frame {what}", lambda make=make: {"public": _join_any(make(), rows)}
    for what, make in _variants(partner_frame):
        yield f"partner frame {what}", lambda make=make: {"partner": _join_any(make(), partner_rows)}
    for what, make in _variants(rows[1]):
        yield f"public row {what}", lambda make=make: {"public": join(frame, [rows[0], make()])}
        yield (
            f"only the public row {what}",
            lambda make=make: {
                "public": join(frame, [rows[0], make()]),
                "partner": None,
                "measurements": None,
            },
        )
    for what, make in _variants(partner_rows[1]):
        yield (
            f"partner row {what}",
            lambda make=make: {"partner": join(partner_frame, [partner_rows[0], make()])},
        )
    for what, make in _variants(lines[1]):
        yield f"line {what}", lambda make=make: {"measurements": as_lines([lines[0], make()])}
    for what, make in _variants(json.loads(payload(SMALL)[ENVIRONMENT])):
        yield f"environment {what}", lambda make=make: {"environment": dumps(make()).encode()}


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.untraced
def test_no_value_of_another_type_ends_in_an_exception(part):
    """Not even where both documents say it: then it is a problem, or what later versions may say."""
    crashes = []
    for what, changed in itertools.islice(_documents(), part, None, PARTS):
        try:
            examine_documents(Container(Memory(files_with(SMALL, **changed()))))
        except Exception as exc:  # noqa: BLE001 - is what is looked for
            crashes.append((what, repr(exc)))
    assert crashes == []


def test_both_documents_agree_on_another_type(tmp_path):
    """No row gets through whose values are not of their types, as others go on to use them."""
    (frame, rows), (partner_frame, partner_rows), _ = _small()
    taken = []
    for key in rows[1]:
        for junk in JUNK:
            if type(rows[1][key]) is type(junk):
                continue
            mine, theirs = (
                join(frame, [rows[0], {**rows[1], key: junk}]),
                join(partner_frame, [partner_rows[0], {**partner_rows[1], key: junk}]),
            )
            octets = with_files(SMALL, public=mine, partner=theirs, measurements=None)
            if verify_octets(tmp_path, octets).is_unaltered:
                taken.append((key, junk))
    # These may be null, in a row of another outcome at least.
    assert {key for key, _ in taken} <= {
        "scope",
        "confidence",
        "authority",
        "sni",
        "handshake",
        "certificate_failure",
    }
    assert all(junk is None or (key, junk) == ("certificate_failure", "") for key, junk in taken), taken


# --- documents that contradict each other


def _changed_row(name: str, **changes) -> bytes:
    frame, rows = split(payload()[name])
    return join(frame, [rows[0], {**rows[1], **changes}, *rows[2:]])


def _changed_frame(name: str, **changes) -> bytes:
    frame, rows = split(payload()[name])
    return join({**frame, **changes}, rows)


@pytest.mark.parametrize(
    "changes",
    [
        {"outcome": "clean"},
        {"scope": "isp"},
        {"confidence": "likely"},
        {"rule_ids": []},
        {"labels": []},
        {"hostname": "other.example.test"},
        {"target": "other.example.test"},
        {"port": 444},
        {"chain": []},
        {"forgers": []},
        {"address": "192.0.2.7"},
        {"explanation": "It was the neighbour."},
        {"handshake": None},
        {"ruled_out": []},
        {"authority": None},
    ],
    ids=str,
)
def test_a_public_row_that_says_something_else(changes, tmp_path):
    assert found(verify_octets(tmp_path, with_files(public=_changed_row(PUBLIC, **changes)))) == [
        ("documents_disagree", PUBLIC)
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"complete": False},
        {"rules_version": "8"},
        {"week": "2026-W02"},
        {"level": "partner"},
        {"started_at": "2026-01-02T03:04:05Z"},
        {"store": {"name": "other"}},
        {"vantage": {"id": "", "kind": "direct", "asn": "AS1", "cc": "KZ"}},
        {"options": {}},
        {"summary": {}},
        {"registry": {"version": "other"}},
    ],
    ids=str,
)
def test_a_public_frame_that_says_something_else(changes, tmp_path):
    assert codes(tmp_path, with_files(public=_changed_frame(PUBLIC, **changes))) == ["documents_disagree"]


@pytest.mark.parametrize(
    ("name", "old", "new", "code"),
    [
        (PUBLIC, b'"complete":true', b'"complete":1', "document_invalid"),
        (PARTNER, b'"proof_verified":true', b'"proof_verified":1', "document_invalid"),
        (PUBLIC, b'"proof_verified":true', b'"proof_verified":1', "documents_disagree"),
    ],
)
def test_true_is_not_one_where_a_type_is_known(name, old, new, code, tmp_path):
    assert code in codes(tmp_path, with_files(**{name: payload()[name].replace(old, new)}))


def test_true_is_not_one(tmp_path):
    """They are equal in Python and nowhere else."""
    partner = _changed_frame(PARTNER, options={"concurrency": 1})
    for value, expected in ((1, []), (True, ["documents_disagree"]), ("1", ["documents_disagree"])):
        public = _changed_frame(PUBLIC, options={"concurrency": value})
        assert codes(tmp_path, with_files(public=public, partner=partner)) == expected


@pytest.mark.parametrize("name", [PUBLIC, PARTNER])
@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[:-1],
        lambda rows: rows[1:],
        lambda _rows: [],
        lambda rows: rows * 2,
        lambda rows: rows[::-1],
    ],
    ids=["one less", "without the first", "none", "twice", "turned around"],
)
def test_other_rows(name, change, tmp_path):
    frame, rows = split(payload()[name])
    assert codes(tmp_path, with_files(**{name: join(frame, change(rows))})) == ["documents_disagree"]


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: lines[:-1],
        lambda _lines: [],
        lambda lines: [*lines, lines[0]],
        lambda lines: lines[::-1],
        lambda lines: [lines[1], *lines[1:]],
    ],
    ids=["fewer", "none", "more", "turned around", "of another target"],
)
def test_other_measurements(change, tmp_path):
    octets = with_files(measurements=as_lines(change(lines_of(payload()[MEASUREMENTS]))))
    assert codes(tmp_path, octets) == ["documents_disagree"]


def test_measurements_of_a_scan_that_was_killed_may_be_one_more(tmp_path):
    frame, rows = split(payload()[PARTNER])
    partner = join({**frame, "complete": False}, rows[:-1])
    public = join({**split(payload()[PUBLIC])[0], "complete": False}, split(payload()[PUBLIC])[1][:-1])
    assert codes(tmp_path, with_files(public=public, partner=partner)) == []


def test_a_last_line_without_its_end_is_no_line(tmp_path):
    """Our reader would pass over it, and another would not."""
    lines = payload()[MEASUREMENTS]
    for octets in (lines[:-1], lines + lines.splitlines()[0], lines + b"{", lines + b" "):
        seen = found(verify_octets(tmp_path, with_files(measurements=octets)))
        assert [code for code, _ in seen] == ["json_syntax"]
        assert seen[0][1].startswith(MEASUREMENTS)


# --- proofs


def _with_handshake(change, number: int = 1) -> bytes:
    lines = lines_of(payload()[MEASUREMENTS])
    change(lines[number]["test_keys"]["tls_handshakes"][0])
    return with_files(measurements=as_lines(lines))


def _flipped(text: str, at: int) -> str:
    octets = bytearray(base64.b64decode(text))
    octets[at] ^= 1
    return base64.b64encode(octets).decode()


@pytest.mark.parametrize("number", [0, 1, 2, 3])
@pytest.mark.parametrize("field", ["signature", "signed", "client_random", "server_random", "transcript"])
@pytest.mark.parametrize("at", [0, 10, -1])
def test_a_proof_of_which_an_octet_was_changed(number, field, at, tmp_path):
    def change(handshake):
        proof = handshake["x_proof"]
        if proof[field]:
            proof[field] = _flipped(proof[field], at)

    proof = lines_of(payload()[MEASUREMENTS])[number]["test_keys"]["tls_handshakes"][0]["x_proof"]
    seen = found(verify_octets(tmp_path, _with_handshake(change, number)))
    assert seen == ([("proof_invalid", MEASUREMENTS)] if proof[field] else [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scheme", 0x0403),
        ("scheme", 0),
        ("scheme", -1),
        ("scheme", 2**63 - 1),
        ("kind", "tls12_server_key_exchange"),
        ("signature", ""),
        ("signed", ""),
        ("transcript", ""),
        ("transcript", "AAAAAAAAAAAA"),
        ("client_random", ""),
    ],
)
def test_a_proof_of_another_kind(field, value, tmp_path):
    octets = _with_handshake(lambda handshake: handshake["x_proof"].__setitem__(field, value))
    assert found(verify_octets(tmp_path, octets)) == [("proof_invalid", MEASUREMENTS)]


def test_a_copied_chain_with_the_proof_of_another(tmp_path):
    """The proof is right, and of a leaf that the row does not show."""

    def copy_chain(handshake):
        copied = chain("www3.example.test", "State CA")
        for entry, der in zip(handshake["peer_certificates"], copied, strict=True):
            entry["data"] = base64.b64encode(der).decode()

    seen = found(verify_octets(tmp_path, _with_handshake(copy_chain)))
    assert seen == [("documents_disagree", MEASUREMENTS), ("proof_invalid", MEASUREMENTS)]

    def exchange_issuer(handshake):
        handshake["peer_certificates"][1]["data"] = base64.b64encode(authority("Other CA")).decode()

    assert found(verify_octets(tmp_path, _with_handshake(exchange_issuer))) == [
        ("documents_disagree", MEASUREMENTS)
    ]


def test_a_proof_that_is_said_and_not_there(tmp_path):
    octets = _with_handshake(lambda handshake: handshake.__setitem__("x_proof", None))
    assert found(verify_octets(tmp_path, octets)) == [("documents_disagree", MEASUREMENTS)]

    def unsay(handshake):
        handshake["x_proof"] = {**handshake["x_proof"], "verified": False}

    assert found(verify_octets(tmp_path, _with_handshake(unsay))) == [("documents_disagree", MEASUREMENTS)]


@pytest.mark.parametrize(
    "der", [b"", b"x", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", bytes(1000), b"\x30" * 1000]
)
def test_a_leaf_that_is_no_certificate(der, tmp_path):
    def change(handshake):
        handshake["peer_certificates"][0]["data"] = base64.b64encode(der).decode()

    assert "documents_disagree" in codes(tmp_path, _with_handshake(change))


# --- certificates, salts, versions


def test_a_certificate_under_another_name(tmp_path):
    names = sorted(name for name in payload() if name.endswith(".der"))
    files = {names[0]: payload()[names[1]]}
    assert found(verify_octets(tmp_path, with_files(**files))) == [("certificate_misnamed", names[0])]
    for name in (
        "data/public/certs/x.der",
        "data/public/certs/x.txt",
        f"{names[0][:-4]}.pem",
        f"{names[0][:-5]}.der",
    ):
        seen = found(verify_octets(tmp_path, with_files(**{name: payload()[names[0]]})))
        assert seen == [("certificate_misnamed", name)]


@pytest.mark.parametrize("salt", [None, "", "x" * 31, 0, [], {}, True, ["x"] * 32])
def test_a_salt_is_missing(salt, tmp_path):
    environment = {**json.loads(payload()[ENVIRONMENT]), "salt": salt}
    octets = with_files(environment=dumps(environment).encode())
    assert found(verify_octets(tmp_path, octets)) == [("document_invalid", ENVIRONMENT)]
    octets = with_files(partner=_changed_frame(PARTNER, salt=salt))
    assert ("document_invalid", PARTNER) in found(verify_octets(tmp_path, octets))


@pytest.mark.parametrize(
    "schema", ["kzmitm.scan/2.0", "kzmitm.scan/1", "kzmitm.scan", "", None, 1, [], "\u202e"]
)
def test_a_schema_that_we_do_not_know(schema, tmp_path):
    for name in (PUBLIC, PARTNER):
        seen = found(verify_octets(tmp_path, with_files(**{name: _changed_frame(name, schema=schema)})))
        assert ("schema_unknown", name) in seen
    environment = {**json.loads(payload()[ENVIRONMENT]), "schema": schema}
    octets = with_files(environment=dumps(environment).encode())
    assert found(verify_octets(tmp_path, octets)) == [("schema_unknown", ENVIRONMENT)]


def test_what_a_later_minor_version_adds_is_its_own_affair(tmp_path):
    def later(name):
        frame, rows = split(payload()[name])
        handshakes = [{**row["handshake"], "new": 1} for row in rows]
        rows = [{**row, "new": {"a": [1]}, "handshake": h} for row, h in zip(rows, handshakes, strict=True)]
        return join({**frame, "schema": "kzmitm.scan/1.7", "version": "1.7", "new": ["x"]}, rows)

    lines = lines_of(payload()[MEASUREMENTS])
    for line in lines:
        line["new"] = line["test_keys"]["new"] = {"a": 1}
        line["test_keys"]["x_kzmitm"]["new"] = 1
    environment = {**json.loads(payload()[ENVIRONMENT]), "schema": "kzmitm.environment/1.9", "new": {}}
    octets = with_files(
        public=later(PUBLIC),
        partner=later(PARTNER),
        measurements=as_lines(lines),
        environment=dumps(environment).encode(),
    )
    seen = verify_octets(tmp_path, octets)
    assert found(seen) == []
    assert seen.proof.intercepted_proven == INTERCEPTED_HANDSHAKES


def test_files_of_a_later_version(tmp_path):
    more = {
        "data/public/report.html": b"<h1>",
        "data/partner/timing.json": dumps({"schema": "kzmitm.timing/1.0", "salt": "0" * 32}).encode(),
        "data/public/notes.json": dumps({"schema": "kzmitm.notes/1.0"}).encode(),
        "data/full/capture.pcapng": b"\x0a\x0d\x0d\x0a",
        "data/full/deep/er.bin": bytes(1000),
    }
    assert found(verify_octets(tmp_path, with_files(**more))) == []
    for name, octets, code in (
        ("data/partner/timing.json", b'{"schema":"kzmitm.timing/1.0"}', "document_invalid"),
        ("data/public/notes.json", b'{"schema":"other"}', "schema_unknown"),
        ("data/public/notes.json", b"[]", "schema_unknown"),
        ("data/public/notes.json", b"{", "json_syntax"),
        ("data/public/notes.json", b" " * (1 << 20 | 1), "file_too_long"),
    ):
        assert found(verify_octets(tmp_path, with_files(**{name: octets}))) == [(code, name)]


def test_documents_that_were_left_out_before_it_was_signed(tmp_path):
    assert found(verify_octets(tmp_path, with_files(public=None))) == [("file_missing", PUBLIC)]
    seen = verify_octets(tmp_path, with_files(partner=None, measurements=None, environment=None))
    assert (found(seen), seen.withheld) == ([], ())


# --- size


LONG = {
    "a line of 70 MB": ("measurements", lambda octets: octets + b"x" * (70 << 20) + b"\n", "file_too_long"),
    "a line of 70 MB without end": (
        "measurements",
        lambda octets: octets + b"x" * (70 << 20),
        "file_too_long",
    ),
    "a row of 9 MB": (
        "public",
        lambda octets: octets.replace(
            b'"explanation":""', b'"explanation":"' + b"x" * (MAX_ROW + 1) + b'"', 1
        ),
        "json_syntax",
    ),
    "a frame of 2 MB": (
        "public",
        lambda octets: octets.replace(
            b'"complete":', b'"a":"' + b"x" * (2 * MAX_FRAME) + b'","complete":', 1
        ),
        "json_syntax",
    ),
    "a frame of 2 MB behind": (
        "public",
        lambda octets: octets.replace(b'"week":', b'"w":"' + b"x" * (2 * MAX_FRAME) + b'","week":', 1),
        "json_syntax",
    ),
    "a million empty lines": ("measurements", lambda _octets: b"\n" * 1_000_000, "json_syntax"),
    "200,000 empty rows": (
        "public",
        lambda octets: octets.replace(b"\n]", b",\n" * 200_000 + b"\n]"),
        "json_syntax",
    ),
    "a row of 2 million values": (
        "public",
        lambda octets: octets.replace(b'"undecided":', b'"x":[' + b"[]," * 2_000_000 + b'0],"undecided":', 1),
        "file_too_long",
    ),
    "a line of 9 million values": (
        "measurements",
        lambda octets: octets.replace(b'"test_keys":', b'"x":[' + b"[]," * 9_000_000 + b'0],"test_keys":', 1),
        "file_too_long",
    ),
    "an environment of 2 MB": ("environment", lambda _octets: b" " * (2 << 20), "file_too_long"),
}


@pytest.mark.parametrize("key", LONG)
@pytest.mark.untraced
def test_what_is_too_long_is_not_kept_in_memory(key, tmp_path):
    name, make, code = LONG[key]
    (tmp_path / "x.zip").write_bytes(with_files(**{name: make(payload()[path(name)])}))
    start = time.process_time()
    seen = found(verify_bundle(tmp_path / "x.zip", trust=NOBODY, now=NOW))
    assert time.process_time() - start < 5
    assert (code, path(name)) in {(code, file.partition(":")[0]) for code, file in seen}
    tracemalloc.start()
    try:
        verify_bundle(tmp_path / "x.zip", trust=NOBODY, now=NOW)
        assert tracemalloc.get_traced_memory()[1] < MAX_MEMORY
    finally:
        tracemalloc.stop()
