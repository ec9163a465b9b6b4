"""Reading what a scan left: archives, folders, journals."""

import json
import os
import tracemalloc
import zipfile

import pytest
from evidence_samples import CLEAN, INTERCEPTED
from journal_samples import (
    ENVIRONMENT,
    KEY,
    SCHEMAS,
    bundle,
    check_schemas,
    killed,
    members,
    octets_of,
    proven,
)

from kzmitm.errors import BundleError
from kzmitm.evidence import layout
from kzmitm.evidence.archive.zip_writer import octets_source
from kzmitm.evidence.assembly import signed
from kzmitm.evidence.bundle_reader import read_bundle
from kzmitm.evidence.container import open_container
from kzmitm.evidence.damage import Code, DamagedError
from kzmitm.evidence.layout import Level
from kzmitm.evidence.sharing import shared_files, write_shared

PARTNER = "data/partner/scan.json"
PUBLIC = "data/public/scan.json"
MEASUREMENTS = "data/partner/measurements.jsonl"


def resigned(folder, changes, name="changed.zip"):
    """The bundle of a scan with other content, signed as validly: by a stranger with a key."""
    files = members(bundle(folder))
    files = {path: octets for path, octets in files.items() if layout.is_payload(path)} | changes
    made = signed([octets_source(path, octets) for path, octets in files.items() if octets is not None], KEY)
    made.write(folder / name)
    return folder / name


def reduced(path, level):
    """The bundle for a wider circle."""
    out = path.with_name(f"{level}.zip")
    with open_container(path) as container:
        write_shared(container, shared_files(container, level, timestamps=False), out)
    return out


def unpacked(path):
    """The folder of an archive, as another program unpacks it."""
    folder = path.parent / "unpacked"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    (place,) = folder.iterdir()
    return place


@pytest.fixture
def path(tmp_path):
    return bundle(tmp_path)


@pytest.mark.parametrize("kind", ["archive", "folder", "parent"])
def test_an_archive_and_a_folder_tell_the_same(path, kind):
    place = path if kind == "archive" else unpacked(path)
    with read_bundle(place.parent if kind == "parent" else place) as found:
        assert (found.complete, found.running, found.level) == (True, False, Level.FULL)
        assert list(found.measurements()) == [proven(i) for i in range(3)]
        assert [(row["target"], verdict) for row, verdict in found.verdicts()] == [
            (f"www{i}.example.test", CLEAN) for i in range(3)
        ]
        assert found.document["summary"]["clean"] == 3
        assert found.document["bundle"] is None
        SCHEMAS["scan"].validate(found.document | {"targets": list(found.rows())})


@pytest.mark.parametrize("level", [Level.PARTNER, Level.PUBLIC])
def test_a_reduced_bundle_tells_what_is_left(path, level):
    out = reduced(path, level)
    with read_bundle(out) as found:
        is_public = level is Level.PUBLIC
        assert (found.level, found.complete) == (level, True)
        assert len(list(found.measurements())) == (0 if is_public else 3)
        assert found.document["level"] == level
        assert [verdict for _, verdict in found.verdicts()] == [CLEAN] * 3
        assert all((row["address"] is None) == is_public for row in found.rows())
        SCHEMAS["scan"].validate(found.document | {"targets": list(found.rows())})
    assert {name.split("/")[1] for name in members(out) if name.startswith("data/")} == {
        "public",
        *(() if is_public else ("partner",)),
    }


def test_it_can_be_read_again_and_again(path):
    with read_bundle(path) as found:
        assert list(found.rows()) == list(found.rows())
        first, second = found.measurements(), found.measurements()
        assert [next(first), next(second), next(second)] == [proven(0), proven(0), proven(1)]


def test_a_journal_is_read_as_it_grows(tmp_path):
    with read_bundle(killed(tmp_path)) as found:
        assert (found.complete, found.running, found.level) == (False, True, Level.FULL)
        assert len(list(found.measurements())) == len(list(found.rows())) == 3


def test_nothing_there(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "none", tmp_path / "file", tmp_path / "file" / "x"):
        with pytest.raises(BundleError) as caught:
            read_bundle(place)
        assert caught.value.hint


def test_what_was_changed_is_not_read(path):
    octets = bytearray(path.read_bytes())
    at = octets.index(b"www1.example.test")
    octets[at] ^= 1
    path.write_bytes(octets)
    with pytest.raises(DamagedError) as caught:
        read_bundle(path)
    assert caught.value.problem.code in (Code.ARCHIVE_DAMAGED, Code.FILE_CHANGED)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", Code.JSON_SYNTAX),
        (b"[]", Code.JSON_SYNTAX),
        (b'{"schema":"kzmitm.scan/2.0","targets":[]}\n', Code.SCHEMA_UNKNOWN),
        (b'{"schema":1,"targets":[]}\n', Code.SCHEMA_UNKNOWN),
        (b'{"schema":"kzmitm.scan/1.0","targets":[]}\n', Code.DOCUMENT_INVALID),
        (b'{"a":1,"a":2,"targets":[]}\n', Code.JSON_DUPLICATE_KEY),
        (b"[" * 100_000 + b'"targets":[]', Code.JSON_DEPTH),
        (b'{"x":NaN,"targets":[]}\n', Code.JSON_NUMBER),
        (b'{"x":1.5,"targets":[]}\n', Code.JSON_NUMBER),
    ],
)
def test_a_strange_document(tmp_path, content, code):
    with pytest.raises(DamagedError) as caught:
        read_bundle(resigned(tmp_path, {PARTNER: content}))
    assert caught.value.problem.code is code
    assert caught.value.problem.file.startswith(PARTNER)


@pytest.mark.parametrize(
    ("row", "read", "message"),
    [
        (b"1", "rows", "a row is no object"),
        (b"{", "rows", "json_syntax"),
        (b'{"outcome":"clean"}', "verdicts", r"targets\[\]\.confidence"),
        ((b'"clean"', b'"fine"'), "verdicts", r"targets\[\]\.outcome"),
        ((b'"confidence"', b'"x_confidence"'), "verdicts", r"targets\[\]\.confidence"),
    ],
)
def test_rows_that_are_none(tmp_path, row, read, message):
    document = members(bundle(tmp_path / "first"))[PARTNER]
    head, opening, rest = document.partition(b'"targets":[\n')
    first, _, rest = rest.partition(b",\n")
    row = row if isinstance(row, bytes) else first.replace(*row)
    path = resigned(tmp_path, {PARTNER: head + opening + row + b",\n" + rest})
    with read_bundle(path) as found, pytest.raises(BundleError, match=message):
        list(getattr(found, read)())


def test_a_document_without_versions(tmp_path):
    document = members(bundle(tmp_path / "first"))[PARTNER]
    path = resigned(tmp_path, {PARTNER: document.replace(b'{"version":"abc"}', b'{"version":1}')})
    with read_bundle(path) as found, pytest.raises(BundleError, match=r"registry\.version"):
        list(found.verdicts())


def test_a_later_minor_version_may_say_more(tmp_path):
    document = members(bundle(tmp_path / "first"))[PARTNER]
    news = document.replace(b"kzmitm.scan/1.0", b"kzmitm.scan/1.7").replace(
        b'{"address"', b'{"a_news":[1],"address"'
    )
    path = resigned(tmp_path, {PARTNER: news, "data/partner/news.json": b"{}", "data/public/n.txt": b"n"})
    with read_bundle(path) as found:
        assert [verdict for _, verdict in found.verdicts()] == [CLEAN] * 3
        assert next(found.rows())["a_news"] == [1]


def test_a_bad_line_is_named(tmp_path):
    lines = members(bundle(tmp_path / "first"))[MEASUREMENTS]
    path = resigned(tmp_path, {MEASUREMENTS: lines + b'{"test_keys":3}\n'})
    with (
        read_bundle(path) as found,
        pytest.raises(BundleError, match=r"measurements\.jsonl:4: \$\.test_keys"),
    ):
        list(found.measurements())


def test_a_line_without_end(path, monkeypatch):
    monkeypatch.setattr("kzmitm.evidence.measurement_reader.MAX_LINE", 1000)
    with read_bundle(path) as found, pytest.raises(BundleError, match=r"measurements\.jsonl:1: more than"):
        list(found.measurements())


def test_no_measurements_at_all(tmp_path):
    with read_bundle(resigned(tmp_path, {MEASUREMENTS: None})) as found:
        assert list(found.measurements()) == []
        assert len(list(found.rows())) == 3


def test_the_environment(path):
    files = members(path)
    check_schemas(files)
    found = json.loads(files["data/full/environment.json"])
    assert found | ENVIRONMENT == found


class TestFolders:
    @pytest.mark.parametrize("name", [PARTNER, MEASUREMENTS, "manifest-sha256.txt"])
    def test_links_and_pipes_are_not_followed(self, path, tmp_path, name):
        folder = unpacked(path)
        place = folder / name
        place.rename(tmp_path / "real")
        place.symlink_to(tmp_path / "real")
        with pytest.raises(BundleError):
            read_bundle(folder)
        place.unlink()
        os.mkfifo(place)
        with pytest.raises(BundleError):
            read_bundle(folder)

    def test_a_file_that_only_claims_its_size_costs_no_memory(self, path):
        place = unpacked(path)
        os.truncate(place / "manifest-sha256.txt", 1 << 33)
        tracemalloc.start()
        with pytest.raises(BundleError):
            read_bundle(place)
        assert tracemalloc.get_traced_memory()[1] < 2 << 20
        tracemalloc.stop()


class TestJournals:
    @pytest.fixture
    def journal(self, tmp_path):
        return killed(tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"[]", b"{}", b"null", b'{"schema":"kzmitm.journal/9"}', b'{"schema":"kzmitm.journal/1"}'],
    )
    def test_a_beginning_of_something_else(self, journal, content):
        (journal / "journal.json").write_bytes(content)
        with pytest.raises(BundleError, match="cannot be read"):
            read_bundle(journal)

    def test_torn_last_lines_are_passed_over(self, journal):
        for name in ("measurements.jsonl", "verdicts.spool"):
            with (journal / name).open("ab") as file:
                file.write(b'{"test_keys":3}')
        with read_bundle(journal) as found:
            assert len(list(found.measurements())) == len(list(found.rows())) == 3

    def test_rubbish_in_its_spool(self, journal):
        with (journal / "verdicts.spool").open("ab") as file:
            file.write(b"+ key clean []\n")
        with read_bundle(journal) as found, pytest.raises(BundleError, match=r"spool:4.*not an object"):
            list(found.rows())

    @pytest.mark.parametrize("name", ["verdicts.spool", "measurements.jsonl"])
    def test_a_log_that_is_not_there_yet(self, journal, name):
        (journal / name).unlink()
        with read_bundle(journal) as found:
            rows, measured = len(list(found.rows())), len(list(found.measurements()))
        assert (rows, measured) == ((0, 3) if name.startswith("verdicts") else (3, 0))

    def test_reading_changes_nothing(self, journal):
        before = octets_of(journal)
        with read_bundle(journal) as found:
            list(found.verdicts())
        assert octets_of(journal) == before


def test_an_interception_is_told_in_full(tmp_path):
    document = members(bundle(tmp_path / "first"))[PARTNER].splitlines(keepends=True)
    row = json.loads(document[1].rstrip(b",\n"))
    told = {"outcome": "interception", "confidence": "confirmed", "scope": "state"}
    path = resigned(
        tmp_path, {PARTNER: b"".join([document[0], json.dumps(row | told).encode() + b",\n", *document[2:]])}
    )
    with read_bundle(path) as found:
        verdict = next(found.verdicts())[1]
    assert (verdict.outcome, verdict.scope, verdict.store_version) == (
        INTERCEPTED.outcome,
        INTERCEPTED.scope,
        "2026.1",
    )
