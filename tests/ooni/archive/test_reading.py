"""Files of an archive in all their forms, whole and damaged: every document once, with its place."""

import gzip
import io
import json
import random
import tarfile
import tracemalloc

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kzmitm.ooni.archive import reading, tar
from kzmitm.ooni.archive.reading import DamagedFileError, TooLong, documents, lines
from kzmitm.ooni.archive.tar import DamagedTarError, members

DOCUMENTS = [b'{"n":%d,"text":"%s"}' % (number, b"a \\n\\u20ac " * number) for number in range(7)]
JSONL = b"".join(each + b"\n" for each in DOCUMENTS)
NUMBERED = [("", number, each) for number, each in enumerate(DOCUMENTS, 1)]
PRETTY = json.dumps(json.loads(DOCUMENTS[3]), indent=2).encode()
ZEROS = b"\0" * 512


def all_of(octets):
    return list(documents(io.BytesIO(octets)))


def given_before_damage(octets):
    """What is given before the damage, and what is said of it."""
    found = []
    try:
        for each in documents(io.BytesIO(octets)):
            found.append(each)  # noqa: PERF402 - what was found is wanted where it breaks, too
    except DamagedFileError as exc:
        return found, str(exc)
    raise AssertionError("nothing was said of the damage")


def zst(octets, **about):
    return zstandard.ZstdCompressor(**about).compress(octets)


def streamed_zst(octets, **about):
    """As from a pipe: the frame does not tell its size."""
    compressor = zstandard.ZstdCompressor(**about).compressobj()
    return compressor.compress(octets) + compressor.flush()


def tar_of(files, *, form=tarfile.USTAR_FORMAT):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, content in files:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = info.size or len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def header(name="a.post", *, size=0, kind=b"0", field=None):
    """A header of a tar file; `field` stands in the place of its size."""
    octets = bytearray(tarfile.TarInfo(name).tobuf(tarfile.USTAR_FORMAT))
    octets[124:136] = field or b"%011o\0" % size
    octets[156:157] = kind
    octets[148:156] = b" " * 8
    octets[148:156] = b"%06o\0 " % sum(octets)
    return bytes(octets)


POSTCANS = [(f"{number}.post", each) for number, each in enumerate(DOCUMENTS)]
TAR = tar_of(POSTCANS)
IN_TAR = [(f"{number}.post", 1, each) for number, each in enumerate(DOCUMENTS)]

FORMS = {
    "jsonl": JSONL,
    "gz": gzip.compress(JSONL),
    "gz-of-several-members": b"".join(gzip.compress(each + b"\n") for each in DOCUMENTS),
    "gz-cut-anywhere": gzip.compress(JSONL[:1]) + gzip.compress(b"") + gzip.compress(JSONL[1:]),
    "gz-padded": gzip.compress(JSONL) + b"\0" * 200_000,
    "gz-stored": gzip.compress(JSONL, compresslevel=0),
    "zst": zst(JSONL),
    "zst-streamed": streamed_zst(JSONL),
    "zst-with-checksum": streamed_zst(JSONL, write_checksum=True),
    "zst-of-several-frames": b"".join(zst(each + b"\n") for each in DOCUMENTS),
    "zst-skippable-first": b"\x5a\x2a\x4d\x18\x04\0\0\0abcd" + zst(JSONL),
    "zst-skippable-within": zst(JSONL[:20]) + b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zst(JSONL[20:]),
    "no-final-newline": JSONL[:-1],
    "byte-order-mark": b"\xef\xbb\xbf" + JSONL,
}


@pytest.mark.parametrize("octets", FORMS.values(), ids=FORMS)
def test_lines_are_read_from_every_form_of_file(octets):
    assert all_of(octets) == NUMBERED


@pytest.mark.parametrize("octets", [TAR, gzip.compress(TAR), zst(TAR)], ids=["plain", "gz", "zst"])
def test_every_member_of_a_postcan_is_a_document(octets):
    assert all_of(octets) == IN_TAR


def test_line_endings_blank_lines_and_their_numbers():
    text = b"\r\n\n" + DOCUMENTS[0] + b"\r\n \t\r\n" + DOCUMENTS[1] + b"\n\n"
    assert all_of(text) == [("", 3, DOCUMENTS[0] + b"\r"), ("", 5, DOCUMENTS[1])]


@pytest.mark.parametrize(
    "octets",
    [b"", b"\n", b" \r\n\n", b"\xef\xbb\xbf", gzip.compress(b""), zst(b""), b"[]", b"[ ]\n"],
    ids=["empty", "newline", "blank", "mark", "gz", "zst", "array", "array-line"],
)
def test_an_empty_file_has_no_documents(octets):
    assert all_of(octets) == []


@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\n \n"], ids=["plain", "mark", "blank"])
@pytest.mark.parametrize("after", [b"", b"\n\n"], ids=["", "newlines"])
def test_an_object_over_several_lines_is_one_document(before, after):
    ((member, number, document),) = all_of(before + PRETTY + after)
    assert (member, number, json.loads(document)) == ("", 1, json.loads(DOCUMENTS[3]))


@pytest.mark.parametrize("indent", [None, 1], ids=["line", "lines"])
def test_the_objects_of_an_array_are_documents(indent):
    values = [json.loads(each) for each in DOCUMENTS]
    found = all_of(json.dumps(values, indent=indent).encode())
    assert [json.loads(document) for _, _, document in found] == values
    assert {number for _, number, _ in found} == {1}


def test_an_object_is_whole_wherever_the_compressed_file_is_cut():
    for cut in range(1, len(PRETTY)):
        ((_, _, document),) = all_of(gzip.compress(PRETTY[:cut]) + gzip.compress(PRETTY[cut:]))
        assert document == PRETTY


def test_a_member_of_a_tar_file_may_have_many_lines_or_be_printed_over_many():
    files = [("a.jsonl", JSONL), ("b.json", PRETTY), ("c.json", b"[" + b",".join(DOCUMENTS) + b"]")]
    found = all_of(tar_of(files))
    assert found[: len(DOCUMENTS)] == [("a.jsonl", number, each) for _, number, each in NUMBERED]
    assert found[len(DOCUMENTS)] == ("b.json", 1, PRETTY)
    assert [document for name, _, document in found if name == "c.json"] == DOCUMENTS


DAMAGED = {
    "cut": b'{"n":1,"text":"a',
    "no-json": b"502 Bad Gateway",
    "bracket": b"[x",
    "brace": b"{",
}


@pytest.mark.parametrize("first", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_first_line_does_not_hide_the_others(first):
    assert all_of(first + b"\n" + JSONL) == [
        ("", 1, first),
        *(("", number + 1, each) for _, number, each in NUMBERED),
    ]


def test_an_object_over_several_lines_that_is_none_is_read_as_lines():
    assert [number for _, number, _ in all_of(PRETTY[:-2] + b"\n" + JSONL)] == list(range(1, 11))


def test_lines_may_be_cut_into_chunks_anywhere():
    whole = list(lines(iter([JSONL])))
    for size in (1, 2, 7, 64):
        assert list(lines(JSONL[at : at + size] for at in range(0, len(JSONL), size))) == whole


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b" \t\n"])
def test_blank_lines_are_passed_over_together(line, monkeypatch):
    """A packed file of a megabyte may hold a thousand million of them, and each line takes its time."""
    asked = []
    original = reading._line

    def counted(*about):
        asked.append(about)
        return original(*about)

    monkeypatch.setattr(reading, "_line", counted)
    text = line + b"x\n" + line * 20_000 + b" y\n" + line * 20_000 + b"z"
    chunks = [text[at : at + 4096] for at in range(0, len(text), 4096)]
    assert list(lines(iter(chunks))) == [(2, b"x"), (20_003, b" y"), (40_004, b"z")]
    assert len(asked) < 100


@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b" ", b"bb\n", b"", b"\0", b"\x0c\n"]), max_size=30),
    st.data(),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_lines_are_those_of_split(pieces, data):
    text = b"".join(pieces)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    expected = [(n, line) for n, line in enumerate(text.split(b"\n"), 1) if line and not line.isspace()]
    assert list(lines(iter(chunks))) == expected


BROKEN = {
    "gz-without-end": gzip.compress(JSONL)[:-4],
    "gz-without-header": gzip.compress(JSONL)[:5],
    "gz-checksum": gzip.compress(JSONL) + gzip.compress(JSONL)[:-8] + b"\0\0\0\0" + gzip.compress(JSONL)[-4:],
    "gz-garbage-behind": gzip.compress(JSONL) + b"garbage",
    "gz-much-garbage-behind": gzip.compress(JSONL) + b"garbage" * 100,
    "gz-second-member-cut": gzip.compress(JSONL) + gzip.compress(JSONL)[:-20],
    "zst-of-nothing": b"\x28\xb5\x2f\xfd" + b"garbage" * 10,
    "zst-without-checksum": streamed_zst(JSONL, write_checksum=True)[:-2],
    "zst-garbage-behind": zst(JSONL) + b"garbage",
    "zst-second-frame-cut": zst(JSONL) + zst(JSONL)[:-9],
    "zst-skippable-cut": zst(JSONL) + b"\x50\x2a\x4d\x18\xff\0\0\0abcd",
    "tar-without-end": TAR[: 14 * 512],
    "tar-header-cut": TAR[: 14 * 512] + header()[:100],
    "tar-garbage-behind": TAR + b"garbage" * 512,
}


NOTHING_BEFORE = (BROKEN["gz-without-header"], BROKEN["zst-of-nothing"])


@pytest.mark.parametrize("octets", BROKEN.values(), ids=BROKEN)
def test_all_before_the_damage_is_given_and_the_damage_is_named(octets):
    found, why = given_before_damage(octets)
    expected = IN_TAR if found and found[0][0] else NUMBERED
    assert found[: len(expected)] == expected[: len(found)]
    assert "file" in why
    assert len(found) >= len(expected) or octets in NOTHING_BEFORE


@pytest.mark.parametrize("size", [1 << 16, 1 << 20], ids=["small", "large"])
@pytest.mark.parametrize("compress", [gzip.compress, zst, streamed_zst], ids=["gz", "zst", "zst-streamed"])
@pytest.mark.untraced
def test_a_file_cut_anywhere_says_so(compress, size):
    text = b"".join(b'{"n":%d}\n' % (number * 2654435761 % 2**32) for number in range(size // 16))
    whole = [(number, line) for number, line in enumerate(text.splitlines(), 1)]
    octets = compress(text)
    for cut in (3, 9, len(octets) // 2, len(octets) - 9, len(octets) - 1):
        if cut > 4 or compress is gzip.compress:
            found, why = given_before_damage(octets[:cut])
            sound = [(number, line) for _, number, line in found]
            assert sound == whole[: len(sound)]
            assert why.startswith("the compressed file")
    assert size == 1 << 16 or len(sound) > len(whole) // 4  # a frame that small is one block


def test_a_raw_block_cut_off_is_not_filled_with_what_is_put_behind_it():
    """Octets that do not compress stand in a frame as they are, and so would ours behind a cut."""
    noise = random.Random(1).randbytes(5000).replace(b"\n", b"\r")
    octets = zst(noise)
    for cut in range(1, 60):
        _, why = given_before_damage(octets[:-cut])
        assert why.startswith("the compressed file")


def test_what_a_compressed_tar_lacks_is_said():
    octets = gzip.compress(TAR)
    found, why = given_before_damage(octets[:-6])
    assert found == IN_TAR
    assert why == "the compressed file ends too early"


def test_lines_of_any_length_take_bounded_memory(monkeypatch):
    monkeypatch.setattr(reading, "MAX_DOCUMENT", 1 << 20)
    long = b'{"a":"' + b"x" * (20 << 20) + b'"}\n'
    octets = gzip.compress(DOCUMENTS[0] + b"\n" + long + JSONL, compresslevel=1)
    del long
    tracemalloc.start()
    found = all_of(octets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [number for _, number, _ in found] == [1, 2, *range(3, 3 + len(DOCUMENTS))]
    assert [isinstance(document, TooLong) for _, _, document in found] == [False, True] + [False] * 7
    assert found[1][2] == b'{"a":"' + b"x" * 74
    assert peak < 6 << 20


@pytest.mark.parametrize("over", [0, 1], ids=["fits", "does-not"])
def test_the_limit_of_a_line_is_exact(monkeypatch, over):
    monkeypatch.setattr(reading, "MAX_DOCUMENT", 1000)
    for chunk in (100, 333, 5000):
        line = b"x" * (1000 + over)
        text = line + b"\n" + line
        pieces = (text[at : at + chunk] for at in range(0, len(text), chunk))
        assert [isinstance(found, TooLong) for _, found in lines(pieces)] == [bool(over)] * 2


@pytest.mark.parametrize("form", ["object", "array"])
def test_a_whole_object_larger_than_any_is_read_as_lines(monkeypatch, form):
    monkeypatch.setattr(reading, "MAX_DOCUMENT", 1000)
    text = (
        b"{\n" + b'"a": 1,\n' * 500 + b"}" if form == "object" else b"[" + DOCUMENTS[0] + b" " * 1000 + b"]"
    )
    found = all_of(text)
    assert len(found) == (502 if form == "object" else 1)
    assert isinstance(found[0][2], TooLong) is (form == "array")


@pytest.mark.parametrize("compress", [gzip.compress, zst], ids=["gz", "zst"])
def test_a_bomb_stays_bounded(monkeypatch, compress):
    monkeypatch.setattr(reading, "MAX_DOCUMENT", 1 << 20)
    octets = compress(b" " * (64 << 20))
    assert len(octets) < 70_000
    tracemalloc.start()
    found = all_of(octets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == []
    assert peak < 6 << 20


def test_what_breaks_while_the_beginning_is_looked_at_breaks_behind_it():
    class Failing(io.BytesIO):
        def read(self, size=-1):
            octets = super().read(size)
            if not octets:
                raise OSError(5, "Input/output error")
            return octets

    found = documents(Failing(JSONL))
    assert [next(found) for _ in NUMBERED] == NUMBERED
    with pytest.raises(OSError, match="Input/output"):
        next(found)


def special(kind, name="special", **about):
    info = tarfile.TarInfo(name)
    info.type = kind
    for key, value in about.items():
        setattr(info, key, value)
    return info


def test_links_devices_and_folders_in_a_tar_file_are_no_documents():
    kinds = {
        tarfile.SYMTYPE: {"linkname": "/etc/passwd"},
        tarfile.LNKTYPE: {"linkname": "0.post", "size": 5000},
        tarfile.CHRTYPE: {"devmajor": 1, "devminor": 5},
        tarfile.BLKTYPE: {},
        tarfile.FIFOTYPE: {},
        tarfile.DIRTYPE: {},
    }
    octets = b"".join(special(kind, **about).tobuf(tarfile.USTAR_FORMAT) for kind, about in kinds.items())
    assert all_of(octets + TAR) == IN_TAR


def test_members_of_unknown_kinds_are_passed_over_with_their_content():
    unknown = header(size=600, kind=b"Z") + b"x" * 600 + b"\0" * 424
    assert all_of(unknown + TAR) == IN_TAR


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_names_in_every_writing_are_as_tarfile_reads_them(form):
    names = ["a" * 90 + "/" + "b" * 90 + ".post", "é.post", "c.post"]
    if form != tarfile.USTAR_FORMAT:
        names += ["d" * 300, "қ" * 200]
    octets = tar_of([(name, DOCUMENTS[1]) for name in names], form=form)
    with tarfile.open(fileobj=io.BytesIO(octets)) as archive:
        assert archive.getnames() == names
    assert [name for name, _, _ in all_of(octets)] == names


def test_tar_files_behind_one_another_are_all_read():
    assert all_of(TAR + TAR) == IN_TAR * 2


def test_a_global_header_changes_nothing():
    out = io.BytesIO()
    with tarfile.open(
        fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "a"}
    ) as archive:
        info = tarfile.TarInfo("a.post")
        info.size = len(DOCUMENTS[2])
        archive.addfile(info, io.BytesIO(DOCUMENTS[2]))
    assert all_of(out.getvalue()) == [("a.post", 1, DOCUMENTS[2])]


def extended(records, kind=b"x"):
    return header("x", size=len(records), kind=kind) + records + b"\0" * (-len(records) % 512)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (b"15 path=b.post\n", ("b.post", b"{}\n")),
        (b"9 size=3\n15 path=b.post\n", ("b.post", b"{}\n")),
        (b"9 size=x\n", ("a.post", b"{}\n")),
        (b"x path=b.post\n", ("a.post", b"{}\n")),
        (b"0 path=b.post\n", ("a.post", b"{}\n")),
        (b"999 path=b.post\n", ("b.post\n", b"{}\n")),
        (b"5 path=b.post\n", ("a.post", b"{}\n")),
        (b"\0\0\0", ("a.post", b"{}\n")),
        (b"13 comment=\xff\n15 path=b.post\n", ("b.post", b"{}\n")),
        (b"11 path=\xff\xfe\n", ("��", b"{}\n")),
    ],
    ids=["name", "size", "no-size", "no-length", "zero", "too-long", "too-short", "nul", "comment", "octets"],
)
def test_extended_headers_whatever_is_in_them(records, expected):
    octets = extended(records) + header(size=3) + b"{}\n" + b"\0" * 509 + ZEROS * 2
    ((name, content),) = [(name, b"".join(content)) for name, content in members(iter([octets]))]
    assert (name, content) == expected


def test_sizes_in_binary_are_read():
    octets = header(field=b"\x80" + (3).to_bytes(11, "big")) + b"{}\n" + b"\0" * 509 + ZEROS
    assert [(name, b"".join(content)) for name, content in members(iter([octets]))] == [("a.post", b"{}\n")]


def test_a_content_that_is_not_read_is_passed_over():
    assert [name for name, _ in members(iter([TAR]))] == [name for name, _ in POSTCANS]


def test_headers_of_any_length_take_bounded_memory():
    """`tarfile` would hold each whole: a few octets of gzip fill the memory."""
    octets = gzip.compress(header("x", size=32 << 20, kind=b"x") + b"\0" * (32 << 20) + TAR)
    octets += gzip.compress(header("L", size=32 << 20, kind=b"L") + b"a" * (32 << 20) + TAR)
    tracemalloc.start()
    found = all_of(octets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == IN_TAR * 2
    assert peak < 6 << 20


HOSTILE_TARS = {
    "sparse-of-any-size": header(size=512, kind=b"S") + ZEROS,
    "checksum": header()[:148] + b"000000\0 " + header()[156:],
    "size-is-no-number": header(field=b"12345678 9x\0"),
    "size-is-negative": header(field=b"\xff" * 12),
    "size-beyond-the-file": header(size=1 << 32) + b"{}",
    "many-extended-headers": extended(b"15 path=b.post\n") * 3000,
}


@pytest.mark.parametrize("octets", HOSTILE_TARS.values(), ids=HOSTILE_TARS)
def test_a_hostile_tar_file_is_damaged_and_nothing_worse(octets):
    with pytest.raises(DamagedTarError):
        list(members(iter([octets])))
    _, why = given_before_damage(TAR[: 14 * 512] + octets)
    assert why.startswith("the tar file is damaged: it ")


@given(st.integers(0, len(TAR) - 1), st.integers(0, 255), st.integers(1, 3000))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_tar_file_with_an_octet_changed_gives_files_or_damage(place, value, size):
    octets = TAR[:place] + bytes((value,)) + TAR[place + 1 :]
    chunks = (octets[at : at + size] for at in range(0, len(octets), size))
    found = []
    try:
        found += [(name, b"".join(content)) for name, content in members(chunks)]
    except DamagedTarError:
        return
    assert len(found) == len(POSTCANS)


def test_what_a_tar_file_is_does_not_depend_on_its_chunks():
    octets = tar_of([*POSTCANS, ("e" * 150, DOCUMENTS[0] * 50)], form=tarfile.PAX_FORMAT)
    whole = [(name, b"".join(content)) for name, content in members(iter([octets]))]
    for size in (1, 100, 512, 513, 10_000):
        chunks = (octets[at : at + size] for at in range(0, len(octets), size))
        assert [(name, b"".join(content)) for name, content in members(chunks)] == whole
    assert tar.MAX_EXTENDED < 1 << 20
